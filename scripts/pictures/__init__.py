"""Pictures of the console and the portal: `make pictures`."""
