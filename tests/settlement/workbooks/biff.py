"""Workbooks in the old format, written record by record: what no library that we have writes."""

import struct
from collections.abc import Sequence

_SECTOR = 512
_END, _FREE, _TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def text(row: int, column: int, content: str) -> bytes:
    """A cell of text."""
    return record(0x0204, struct.pack("<HHHHB", row, column, 0, len(content), 1) + content.encode("utf-16-le"))


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    """A cell that holds a number."""
    return record(0x0203, struct.pack("<HHHd", row, column, style, value))


def error(row: int, column: int, code: int) -> bytes:
    """A cell that holds an error."""
    return record(0x0205, struct.pack("<HHHBB", row, column, 0, code, 1))


def formula(row: int, column: int, result: bytes | float, flags: int = 0) -> bytes:
    """A cell that holds a formula (that of the number 1), with its stored result: a number, or the eight bytes."""
    stored = struct.pack("<d", result) if isinstance(result, float) else result
    return record(0x0006, struct.pack("<HHH", row, column, 0) + stored + struct.pack("<HI", flags, 0) + b"\3\0\x1e\1\0")


def string(content: str) -> bytes:
    """The text that the formula before it has for a result."""
    return record(0x0207, struct.pack("<HB", len(content), 1) + content.encode("utf-16-le"))


def merged(*ranges: tuple[int, int, int, int]) -> bytes:
    """Ranges of merged cells: first row, last row, first column, last column."""
    return record(0x00E5, struct.pack("<H", len(ranges)) + b"".join(struct.pack("<HHHH", *one) for one in ranges))


def workbook(cells: Sequence[bytes], formats: Sequence[int] = (0,), about: bytes = b"") -> bytes:
    """A workbook of one sheet with these records.

    ``formats`` are the number formats of its styles, ``about`` further records that are about all of the workbook.
    """
    styles = about + b"".join(record(0x00E0, struct.pack("<HH", 0, code) + bytes(16)) for code in formats)
    beginning = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    end = record(0x000A, b"")
    name = b"Bars"
    length = len(beginning) + len(styles) + 4 + 8 + len(name) + len(end)
    sheet = record(0x0085, struct.pack("<IBBBB", length, 0, 0, len(name), 0) + name)
    begin_sheet = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    return compound(beginning + styles + sheet + end + begin_sheet + b"".join(cells) + end)


def compound(stream: bytes) -> bytes:
    """The container of an XLS with one stream, which is padded so that it lies in sectors of its own."""
    stream += bytes(-len(stream) % _SECTOR + 8 * _SECTOR)
    sectors = len(stream) // _SECTOR
    table = [_TABLE, _END, *range(3, sectors + 2), _END]
    assert len(table) <= _SECTOR // 4
    table += [_FREE] * (_SECTOR // 4 - len(table))
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        bytes(16),
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        bytes(6),
        0,
        1,
        1,
        0,
        4096,
        _END,
        0,
        _END,
        0,
        0,
    )
    header += struct.pack("<108I", *[_FREE] * 108)
    entries = _entry("Root Entry", 5, _END, 0, 1) + _entry("Workbook", 2, 2, len(stream), _FREE)
    entries += _entry("", 0, 0, 0, _FREE) * 2
    return header + struct.pack(f"<{len(table)}I", *table) + entries + stream


def _entry(name: str, kind: int, start: int, size: int, child: int) -> bytes:
    title = name.encode("utf-16-le")
    length = len(title) + 2 if name else 0
    tree = struct.pack("<BBIII", kind, 1, _FREE, _FREE, child)
    return title.ljust(64, b"\0") + struct.pack("<H", length) + tree + bytes(36) + struct.pack("<IQ", start, size)
