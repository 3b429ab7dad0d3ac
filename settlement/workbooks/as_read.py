"""A file as it was read, for people to compare with what they meant."""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from settlement.workbooks.cells import Cell, Row, SheetTable

ROWS: Final = 20
"""So many rows are shown; what is wrong in the others is named by its line."""
_WORD: Final = re.compile(r"\S*[^\x00-\x7f]\S*")


class ReadRow(NamedTuple):
    """One row: its line, and the text of each column that is not empty."""

    line: int
    cells: dict[str, str]


class Word(NamedTuple):
    """A word that is not ASCII, which another encoding would spoil, and the first line in which it stands."""

    word: str
    line: int


class AsRead(NamedTuple):
    """A file as it was read.

    ``how`` says what was found out or stated of encoding, separator, sheet and decimal mark, and what shows each;
    ``heading`` is the line of the headings, ``rows`` are the first of the ``total`` rows under them, ``words`` all
    words that are not ASCII.
    """

    how: tuple[str, ...]
    heading: int
    rows: tuple[ReadRow, ...]
    total: int
    words: tuple[Word, ...]

    def record(self) -> dict[str, object]:
        """Return all of it by its names."""
        rows, words = ([part._asdict() for part in parts] for parts in (self.rows, self.words))
        return {**self._asdict(), "rows": rows, "words": words}

    def lines(self) -> list[str]:
        """Return all of it as lines of text."""
        shown = [
            f"line {row.line}: " + " ".join(f"{name}={text}" for name, text in row.cells.items()) for row in self.rows
        ]
        more = [f"{self.total - len(self.rows)} more rows are read in the same way"] * (self.total > len(self.rows))
        words = ", ".join(f"{word} (line {line})" for word, line in self.words) or "none"
        return [*self.how, f"headings in line {self.heading}", *shown, *more, f"words that are not ASCII: {words}"]


def as_read(
    table: SheetTable,
    numbered: Sequence[Row],
    columns: Sequence[str | None],
    how: Sequence[str] = (),
    shown: Callable[[str, Cell], str] = lambda _, cell: cell.text,
) -> AsRead:
    """Return a table as it was read.

    ``numbered`` are its rows from the heading on, ``columns`` the column of each cell; ``shown`` returns the text of a
    cell as it was taken.
    """
    rows = tuple(
        ReadRow(
            row.line,
            {name: shown(name, cell) for name, cell in zip(columns, row.cells, strict=False) if name and cell.text},
        )
        for row in numbered[1 : ROWS + 1]
    )
    words: dict[str, int] = {}
    for row in table.rows:
        for cell in row.cells:
            if not cell.text.isascii():
                for word in _WORD.findall(cell.text):
                    words.setdefault(word, row.line)
    heading = numbered[0].line if numbered else 1
    found = tuple(Word(word, line) for word, line in words.items())
    return AsRead((*table.how, *how), heading, rows, max(len(numbered) - 1, 0), found)
