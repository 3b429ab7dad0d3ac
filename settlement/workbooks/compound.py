"""The streams of a compound file, the container of an XLS ([MS-CFB])."""

import struct
from typing import Final

_FREE_FROM: Final = 0xFFFFFFFC
"""Numbers of sectors from here on are no sectors."""
_ENTRY: Final = 128
_ROOT: Final = 5


def stream(data: bytes, name: str) -> bytes | None:
    """Return the stream of that name, None without one. Raises struct.error or ValueError for a damaged file."""
    sector_shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if sector_shift not in (9, 12) or mini_shift != 6:
        raise ValueError("its sectors have no size that there is")
    first_directory, _, cutoff, first_mini = struct.unpack_from("<IIII", data, 48)
    size = 1 << sector_shift
    table = _table(data, size)
    directory = _chain(data, table, first_directory, size, size)
    entries = [directory[at : at + _ENTRY] for at in range(0, len(directory) - _ENTRY + 1, _ENTRY)]
    root = next((entry for entry in entries if entry[66] == _ROOT), None)
    found = next((entry for entry in entries if _name(entry).casefold() == name.casefold()), None)
    if root is None or found is None:
        return None
    start, length = struct.unpack_from("<II", found, 116)
    if length >= cutoff:
        return _chain(data, table, start, size, size)[:length]
    mini_table = _numbers(_chain(data, table, first_mini, size, size))
    small = _chain(data, table, struct.unpack_from("<I", root, 116)[0], size, size)
    return _chain(small, mini_table, start, 1 << mini_shift, 0)[:length]


def _name(entry: bytes) -> str:
    (length,) = struct.unpack_from("<H", entry, 64)
    return entry[: max(min(length, 64) - 2, 0)].decode("utf-16-le", errors="replace")


def _numbers(sector: bytes) -> tuple[int, ...]:
    count = len(sector) // 4
    return struct.unpack_from(f"<{count}I", sector)


def _table(data: bytes, size: int) -> tuple[int, ...]:
    """Return the allocation table: by sector the next one of its chain."""
    sectors = list(struct.unpack_from("<109I", data, 76))
    (further,) = struct.unpack_from("<I", data, 68)
    seen: set[int] = set()
    while further < _FREE_FROM and further not in seen:
        seen.add(further)
        at = (further + 1) * size
        *more, further = _numbers(data[at : at + size]) or (_FREE_FROM,)
        sectors += more
    return tuple(
        number
        for sector in sectors
        if sector < _FREE_FROM
        for number in _numbers(data[(sector + 1) * size : (sector + 2) * size])
    )


def _chain(data: bytes, table: tuple[int, ...], start: int, size: int, before: int) -> bytes:
    """Return the sectors of one chain; ``before`` are the bytes before the first. Raises ValueError for a circle."""
    parts: list[bytes] = []
    while start < _FREE_FROM:
        if start >= len(table) or len(parts) > len(table):
            raise ValueError("the chain of its sectors is broken")
        at = before + start * size
        parts.append(data[at : at + size])
        start = table[start]
    return b"".join(parts)
