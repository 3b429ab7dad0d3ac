"""Errors, formulas without values and percentages in a sheet of an XLSX (ECMA-376 part 1, 18.3.1.4 and 18.3.1.40).

An error is a cell of the type ``e``. A formula has its value beside it once a program has computed it; a library that
writes workbooks leaves it out, or writes one and asks for everything to be computed when the workbook is opened.
"""

import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias
from xml.parsers import expat

from settlement.workbooks.marks import FORMULA, Marks, Place, is_percentage

Attributes: TypeAlias = Mapping[str, str]
Start: TypeAlias = Callable[[str, Attributes], None]
"""Called at the beginning of each element with its name, without prefix, and its attributes."""

_WORKBOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_STYLES: Final = "xl/styles.xml"
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_TRUE: Final = ("1", "true")


class BadWorkbook(ValueError):
    """Raised for a workbook whose parts are not what they should be."""


def marks(data: bytes, sheet: str) -> Marks:
    """Return what the sheet of that name says of its cells. Raises BadWorkbook and errors of zipfile."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = _Parts(archive)
        found = _XlsxSheet(parts.percentages(), stale=parts.is_stale)
        parts.walk(parts.sheet(sheet), found.start, found.text)
    found.end_cell()
    return Marks(found.unreadable, found.percentages, found.hidden)


class _Parts:
    """The parts of a workbook; ``is_stale``: it asks for its formulas to be computed when it is opened."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower(): name for name in archive.namelist()}
        self._sheets: dict[str, str] = {}
        self.is_stale = False
        self.walk(_WORKBOOK, self._workbook)

    def walk(self, part: str, start: Start, text: Callable[[str], None] | None = None) -> None:
        """Read a part from its beginning to its end. Raises BadWorkbook."""
        name = self._names.get(part.lower())
        if name is None:
            raise BadWorkbook(f"it has no part {part}")

        def local(tag: str, attributes: Attributes) -> None:
            start(tag.rpartition(":")[2], attributes)

        def refuse(*_: object) -> None:
            raise BadWorkbook(f"{part} declares a document type")

        parser = expat.ParserCreate()
        parser.StartElementHandler = local
        parser.StartDoctypeDeclHandler = refuse
        if text is not None:
            parser.CharacterDataHandler = text
        try:
            with self._archive.open(name) as file:
                parser.ParseFile(file)
        except expat.ExpatError as error:
            raise BadWorkbook(f"{part}: {error}") from error

    def _workbook(self, tag: str, attributes: Attributes) -> None:
        if tag == "sheet":
            relation = next((value for name, value in attributes.items() if name.endswith(":id")), "")
            self._sheets[attributes.get("name", "")] = relation
        elif tag == "calcPr":
            self.is_stale = attributes.get("fullCalcOnLoad") in _TRUE

    def sheet(self, name: str) -> str:
        """Return the part that holds a sheet. Raises BadWorkbook."""
        targets: dict[str, str] = {}

        def relation(tag: str, attributes: Attributes) -> None:
            if tag == "Relationship":
                targets[attributes.get("Id", "")] = attributes.get("Target", "")

        self.walk(_RELATIONS, relation)
        target = targets.get(self._sheets.get(name, ""))
        if target is None:
            raise BadWorkbook(f"it does not say where the sheet {name!r} is")
        return target.lstrip("/") if target.startswith(("/xl/", "xl/")) else posixpath.normpath(f"xl/{target}")

    def percentages(self) -> frozenset[str]:
        """Return the styles that show percentages, as a cell names them."""
        if _STYLES not in self._names:
            return frozenset()
        codes: dict[str, str] = {}
        styles: list[str] = []
        inside = False

        def style(tag: str, attributes: Attributes) -> None:
            nonlocal inside
            if tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
                inside = tag == "cellXfs"
            elif tag == "numFmt":
                codes.setdefault(attributes.get("numFmtId", ""), attributes.get("formatCode", ""))
            elif tag == "xf" and inside:
                styles.append(attributes.get("numFmtId", "0"))

        self.walk(_STYLES, style)
        return frozenset(
            str(place)
            for place, number in enumerate(styles)
            if number.isdecimal() and is_percentage(int(number), codes.get(number))
        )


class _XlsxSheet:
    """Reads a sheet from its beginning to its end, and keeps what is not a plain value."""

    def __init__(self, percentages: frozenset[str], *, stale: bool) -> None:
        self.unreadable: dict[Place, str] = {}
        self.percentages: set[Place] = set()
        self.hidden: set[int] = set()
        self._styles = percentages
        self._stale = stale
        self._row, self._column = -1, -1
        self._kind = ""
        self._element = ""
        self._formula: str | None = None
        self._value: str | None = None

    def start(self, tag: str, attributes: Attributes) -> None:
        self._element = tag
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "f":
            self._formula = ""
        elif tag == "v":
            self._value = ""
        elif tag == "row":
            self.end_cell()
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
            if attributes.get("hidden") in _TRUE:
                self.hidden.add(self._row)

    def text(self, text: str) -> None:
        if self._element == "v" and self._value is not None:
            self._value += text
        elif self._element == "f" and self._formula is not None:
            self._formula += text

    def _begin_cell(self, attributes: Attributes) -> None:
        self.end_cell()
        if (reference := attributes.get("r")) is None:
            self._column += 1
        else:
            self._row, self._column = _place(reference)
        self._kind = attributes.get("t", "n")
        if self._styles and attributes.get("s") in self._styles:
            self.percentages.add((self._row, self._column))

    def end_cell(self) -> None:
        """Keep the cell that has been read, where it holds no value."""
        value = (self._value or "").strip()
        if self._kind == "e":
            self.unreadable[self._row, self._column] = value or "#ERROR!"
        elif self._formula is not None:
            is_empty_text = self._kind == "str" and self._value is not None
            if self._stale or not (value or is_empty_text):
                self.unreadable[self._row, self._column] = FORMULA + self._formula.strip()
        self._kind, self._formula, self._value = "", None, None


def _place(reference: str) -> Place:
    """Return row and column, from 0, of a cell that is called like ``AB12``. Raises BadWorkbook."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise BadWorkbook(f"no cell is called {reference!r}")
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1
