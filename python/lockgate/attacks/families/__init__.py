"""The families of attacks, one file each."""
