"""Telling people and systems what happened, each by the ways that they chose."""
