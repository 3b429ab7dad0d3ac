"""The migrations of settlement's tables, numbered by the names of their files."""

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent


class NewerDatabase(Exception):
    """A newer program has migrated the database; the text says what to do."""


def newest() -> str:
    """The number of the newest migration that this program knows."""
    return max(file.name[:4] for file in (HERE / "versions").glob("[0-9]*.py"))
