"""Owners of APIs: people and teams who answer for them."""
