"""Errors that say what to write instead, as problems of documents do."""

from __future__ import annotations


class HelpfulError(Exception):
    """Something cannot be as it was said.

    Args:
        message: What is wrong.
        help: What to write instead.
    """

    def __init__(self, message: str, help: str) -> None:  # noqa: A002 - as problems of documents call it
        super().__init__(message)
        self.help = help
