"""The portal: what those see who call APIs."""
