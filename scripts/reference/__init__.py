"""The reference, written from the code: the catalogue, the JSON Schema, the command and the docstrings.

`make docs` runs it. A test fails when `docs/reference` is not what it writes.
"""
