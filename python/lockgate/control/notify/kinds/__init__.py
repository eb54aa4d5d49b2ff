"""What each kind of channel speaks, one file each."""
