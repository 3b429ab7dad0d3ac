"""A bug that is planted to see that the tests notice it, and an area of bugs."""

from typing import NamedTuple


class Bug(NamedTuple):
    """A replacement in the text of one module."""

    name: str
    module: str
    """A file of its area's folder."""
    right: str
    """A text that is in it exactly once."""
    wrong: str


class Area(NamedTuple):
    """A part of the product with its bugs, and the quick tests that have to notice each of them."""

    name: str
    folder: str
    """The folder of its bugs' modules, relative to the checkout."""
    tests: tuple[str, ...]
    """Test files or folders, relative to the checkout."""
    options: tuple[str, ...]
    """Other arguments of pytest."""
    bugs: tuple[Bug, ...]
    may_hang: bool = True
    """Whether a bug counts as noticed if its tests do not end, as tests that wait for other processes may."""
