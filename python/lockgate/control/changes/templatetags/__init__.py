"""Filters of the templates of changes."""
