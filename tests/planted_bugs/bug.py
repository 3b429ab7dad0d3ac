"""A bug that is planted to see that the tests notice it."""

from typing import NamedTuple


class Bug(NamedTuple):
    """A replacement in the text of one module."""

    name: str
    module: str
    """A file of matching/core/."""
    right: str
    """A text that is in it exactly once."""
    wrong: str
