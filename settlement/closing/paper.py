"""Papers as PDF: A4 pages with a heading, fields, tables that go on over pages, and ``page x of y`` at the foot.

The same content gives the same bytes: the date of creation is the day of the paper. A table repeats its heading on
every page, a row is never divided, and a text that is wider than its column goes on in a further line.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import pylopdf_fonts_zh_cn as fonts

Language: TypeAlias = Literal["zh", "en"]
LANGUAGES: Final = ("zh", "en")

_MARGIN: Final = 16.0
_TOP: Final = 16.0
_BOTTOM: Final = 18.0
_PADDING: Final = 1.2
_PT_MM: Final = 25.4 / 72
_SMALL: Final = 7.5
_GREY: Final = 90
_SHADE: Final = 242
_FIRST_CJK: Final = "\u2e80"
"""From here on a text may be divided after each character."""


class Column(NamedTuple):
    """A column of a table: its heading, its width as a part of the whole, and whether it holds figures."""

    heading: str
    width: float
    right: bool = False


class Paper:
    """The pages of a paper and the ways to write on them."""

    def __init__(self, title: str, day: date, *, landscape: bool = False) -> None:
        # Slow to load, and only drawing needs it.
        from fpdf import FPDF

        self._pdf: Any = FPDF("landscape" if landscape else "portrait", format="A4")
        self._pdf.set_creation_date(datetime.combine(day, time(), UTC))
        self._pdf.set_margins(_MARGIN, _TOP, _MARGIN)
        self._pdf.set_auto_page_break(False)
        self._pdf.c_margin = 0
        self._pdf.add_font("sans", fname=str(fonts.sans_path()))
        self._pdf.set_title(title)
        self._widths: dict[str, float] = {}
        self._width = self._pdf.w - 2 * _MARGIN
        self._end = self._pdf.h - _BOTTOM
        self._pdf.add_page()

    def title(self, title: str, right: str, subtitle: str) -> None:
        """Write the title of the paper with a text at its right, and a line of small text below."""
        pdf = self._pdf
        pdf.set_font("sans", size=18)
        pdf.cell(self._width, 10, title)
        pdf.set_x(_MARGIN)
        pdf.set_font("sans", size=11)
        pdf.cell(self._width, 10, right, align="R", new_x="LMARGIN", new_y="NEXT")
        pdf.set_text_color(_GREY)
        for line in self._lines(subtitle, self._width, 9):
            pdf.set_font("sans", size=9)
            pdf.cell(self._width, 5, line, new_x="LMARGIN", new_y="NEXT")
        pdf.set_text_color(0)
        self._rule(0.6)

    def heading(self, text: str) -> None:
        """Begin a part of the paper; it stays on one page with what follows."""
        self._keep(26)
        pdf = self._pdf
        pdf.ln(3)
        pdf.set_font("sans", size=11)
        pdf.cell(self._width, 6, text, new_x="LMARGIN", new_y="NEXT")
        self._rule(0.2)

    def fields(self, rows: Iterable[tuple[str, str]], columns: int = 2) -> None:
        """Write names with their values, in some columns, row by row."""
        cells = list(rows)
        width = self._width / columns
        name_width = width * 0.36
        for start in range(0, len(cells), columns):
            line = cells[start : start + columns]
            texts = [self._lines(value, width - name_width - 2, 9) for _, value in line]
            names = [self._lines(name, name_width - 2, 8) for name, _ in line]
            height = 4.8 * max(map(len, (*texts, *names)))
            self._keep(height)
            top = self._pdf.get_y()
            for number, (name, value) in enumerate(zip(names, texts, strict=True)):
                left = _MARGIN + number * width
                self._pdf.set_text_color(_GREY)
                self._block(name, left, top, name_width - 2, 4.8, 8)
                self._pdf.set_text_color(0)
                self._block(value, left + name_width, top, width - name_width - 2, 4.8, 9)
            self._pdf.set_xy(_MARGIN, top + height)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, last_is_sum: bool = False) -> None:
        """Write a table with a heading that is repeated on every page; ``last_is_sum`` rules off the last row."""
        cells = list(rows)
        headings = [column.heading for column in columns]
        widths = self._fit(columns, cells)
        first = self._row_lines(cells[0], widths) if cells else []
        self._keep(self._height(self._row_lines(headings, widths)) + self._height(first))
        self._table_row(columns, widths, headings, head=True)
        for number, row in enumerate(cells):
            height = self._height(self._row_lines(row, widths))
            if self._pdf.get_y() + height > self._end:
                self._pdf.add_page()
                self._table_row(columns, widths, headings, head=True)
            if last_is_sum and number == len(cells) - 1:
                self._line(0.3)
            self._table_row(columns, widths, row)
        self._line(0.2)
        self._pdf.ln(1.5)

    def _fit(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[float]:
        """Return the widths of columns: as they are given, but wide enough for all figures and words of headings."""
        whole = sum(column.width for column in columns)
        widths = [self._width * column.width / whole for column in columns]
        least = []
        for number, column in enumerate(columns):
            texts = [row[number] for row in rows] if column.right else []
            words = [word for word in column.heading.split(" ") if not word or word[0] < _FIRST_CJK]
            needed = max((self._measure(text, _SMALL) for text in (*texts, *words)), default=0.0)
            least.append(needed + 2 * _PADDING + 0.1)
        wanted = [max(pair) for pair in zip(widths, least, strict=True)]
        slack = [width - lowest for width, lowest in zip(wanted, least, strict=True)]
        share = min((sum(wanted) - self._width) / (sum(slack) or 1), 1)
        return [width - share * free for width, free in zip(wanted, slack, strict=True)]

    def note(self, text: str) -> None:
        """Write a paragraph of small text."""
        lines = self._lines(text, self._width, 8)
        self._keep(4.2 * len(lines))
        self._pdf.set_text_color(_GREY)
        self._block(lines, _MARGIN, self._pdf.get_y(), self._width, 4.2, 8)
        self._pdf.set_text_color(0)
        self._pdf.set_xy(_MARGIN, self._pdf.get_y() + 1)

    def finish(self, left: str, page_of: str) -> bytes:
        """Write the foot of every page, a text and ``page_of`` with both numbers, and return the PDF."""
        pdf = self._pdf
        pages = pdf.page
        for number in range(1, pages + 1):
            pdf.page = number
            pdf.set_font("sans", size=7)
            pdf.current_font_is_set_on_page = False
            pdf.set_text_color(_GREY)
            pdf.set_xy(_MARGIN, pdf.h - 12)
            pdf.cell(self._width, 4, left)
            pdf.set_x(_MARGIN)
            pdf.cell(self._width, 4, page_of.format(number, pages), align="R")
        return bytes(pdf.output())

    def _row_lines(self, row: Sequence[str], widths: Sequence[float]) -> list[list[str]]:
        return [self._lines(text, width - 2 * _PADDING, _SMALL) for text, width in zip(row, widths, strict=True)]

    @staticmethod
    def _height(lines: Sequence[Sequence[str]]) -> float:
        return 3.6 * max(map(len, lines), default=1) + 1.4

    def _table_row(
        self, columns: Sequence[Column], widths: Sequence[float], row: Sequence[str], *, head: bool = False
    ) -> None:
        pdf = self._pdf
        lines = self._row_lines(row, widths)
        height = self._height(lines)
        left, top = _MARGIN, pdf.get_y()
        if head:
            pdf.set_fill_color(_SHADE)
            pdf.rect(left, top, self._width, height, style="F")
            pdf.set_text_color(_GREY)
        for column, width, texts in zip(columns, widths, lines, strict=True):
            align = "R" if column.right else "L"
            self._block(texts, left + _PADDING, top + 0.7, width - 2 * _PADDING, 3.6, _SMALL, align)
            left += width
        pdf.set_text_color(0)
        pdf.set_xy(_MARGIN, top + height)

    def _block(
        self, lines: Sequence[str], left: float, top: float, width: float, step: float, size: float, align: str = "L"
    ) -> None:
        """Write lines below each other, with no margin inside."""
        pdf = self._pdf
        pdf.set_font("sans", size=size)
        for number, line in enumerate(lines):
            shift = width - self._measure(line, size) if align == "R" else 0
            pdf.text(left + shift, top + number * step + step / 2 + size * _PT_MM * 0.36, line)
        pdf.set_xy(_MARGIN, top + len(lines) * step)

    def _lines(self, text: str, width: float, size: float) -> list[str]:
        """Divide a text into lines that fit into a width: after blanks, after Chinese signs, else anywhere."""
        found: list[str] = []
        for part in text.split("\n"):
            line, length, cut = "", 0.0, 0
            for sign in part:
                wide = self._measure(sign, size)
                if line and length + wide > width:
                    keep, rest = (line[:cut].rstrip(), line[cut:]) if cut else (line, "")
                    found.append(keep)
                    line, length, cut = rest, self._measure(rest, size), 0
                line += sign
                length += wide
                if sign == " " or sign >= _FIRST_CJK or sign in "/-,;":
                    cut = len(line)
            found.append(line)
        return found

    def _measure(self, text: str, size: float) -> float:
        """Return the width of a text in mm; the width of each sign is computed once."""
        widths, total = self._widths, 0.0
        for sign in text:
            if sign not in widths:
                self._pdf.set_font("sans", size=10)
                widths[sign] = self._pdf.get_string_width(sign) / 10
            total += widths[sign]
        return total * size

    def _keep(self, height: float) -> None:
        """Begin a new page if less than a height is left on this one."""
        if self._pdf.get_y() + height > self._end:
            self._pdf.add_page()

    def _line(self, width: float) -> None:
        pdf = self._pdf
        pdf.set_line_width(width)
        pdf.line(_MARGIN, pdf.get_y(), _MARGIN + self._width, pdf.get_y())

    def _rule(self, width: float) -> None:
        self._pdf.ln(0.8)
        self._line(width)
        self._pdf.ln(1.4)
