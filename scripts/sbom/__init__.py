"""Writes the bill of materials of what is released, from the locks."""
