"""Writes the operations and models of `lockgate.client` from the OpenAPI document of the admin API."""
