"""Feeds: signed lists that the worker fetches, and that become changes."""
