"""The errors of tables.

DataError
├── ColumnError  a table lacks a column, or has one of the wrong type
├── FormatError  a file cannot be read, or is of a kind that is not read
└── FetchError   a public set cannot be brought, or is not what it should be
"""


class DataError(ValueError):
    """A table cannot be used; the message names what was found and what would work.

    Attributes:
        more: what only `--verbose` prints.
    """

    def __init__(self, message: str, *, more: str = "") -> None:
        super().__init__(message)
        self.more = more


class ColumnError(DataError):
    """A table lacks a column, or has one of the wrong type."""


class FormatError(DataError):
    """A file cannot be read, or is of a kind that is not read."""


class FetchError(DataError):
    """A public set cannot be brought, or is not what it should be."""
