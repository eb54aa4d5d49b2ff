"""The worker: long jobs, and what is to be done every so often. The console answers while it is down."""
