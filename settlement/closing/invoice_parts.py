"""How much is left of each line of an invoice, and the lines of a red invoice, which take back all of it or a part.

A line is named by its number on the invoice, from 1. The tax in a part is the tax in all that was taken back of the
line by then, computed as that of a whole line (``settlement.closing.invoice_lines.taxed``), less the tax that was taken
back before. So the red lines of a line never sum to more than its net amount, its tax and its amount, and to exactly
these once nothing is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from goldx.protocol.units import BadValue, format_money, parse_money
from settlement.closing.invoice_lines import taxed

Line: TypeAlias = Mapping[str, Any]
MOST_PARTS: Final = 1_000
"""The most lines of which one red invoice can take back a part."""


class Part(NamedTuple):
    """A line of which something is taken back: its number, and the amount with tax in fen; None is all that is left."""

    line: int
    amount_fen: int | None


def parse(line: object, amount: object = None) -> Part:
    """Return what is taken back of a line; ``amount`` is in CNY, None for all that is left. Raises BadValue."""
    text = str(line)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadValue("line", line, "the number of a line of the invoice")
    return Part(int(text), None if amount is None else parse_money(amount))


def remaining(lines: Sequence[Line], red: Iterable[Sequence[Line]]) -> list[int]:
    """Return what is left of the amount of each line, in fen; ``red`` has the lines of each red invoice."""
    left = [int(line["amount_fen"]) for line in lines]
    for each in red:
        for line in each:
            left[line["line"] - 1] += line["amount_fen"]
    return left


def checked(parts: Sequence[Part], left: Sequence[int]) -> list[Part]:
    """Return the parts by line, each with its amount; ``left`` is what is left of each line of the invoice.

    Raises BadValue for none or too many parts, an unknown line, one that is named twice, and an amount that is not
    more than zero and at most what is left.
    """
    if not 0 < len(parts) <= MOST_PARTS:
        raise BadValue("parts", len(parts), f"1 to {MOST_PARTS:,} lines")
    found: dict[int, Part] = {}
    for line, amount in parts:
        if not 0 < line <= len(left):
            raise BadValue("line", line, f"1 to {len(left)}")
        if line in found:
            raise BadValue("line", line, "named once")
        rest = left[line - 1]
        if not rest:
            raise BadValue("line", line, "one of which something is left")
        wanted = rest if amount is None else amount
        if not 0 < wanted <= rest:
            raise BadValue("amount", format_money(wanted), f"more than zero, up to {format_money(rest)} of line {line}")
        found[line] = Part(line, wanted)
    return [found[line] for line in sorted(found)]


def whole(left: Sequence[int]) -> list[Part]:
    """Return all that is left of an invoice."""
    return [Part(number, amount) for number, amount in enumerate(left, 1) if amount]


def take_back(lines: Sequence[Line], left: Sequence[int], parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the lines of the red invoice that takes these parts back, all of their figures negative.

    A line that is taken back at once keeps what the fee was computed from; a part of an amount has nothing of the kind.
    """
    return [_line(lines[line - 1], line, left[line - 1], amount or 0) for line, amount in parts]


def _line(line: Line, number: int, left: int, taken: int) -> dict[str, Any]:
    before, rate = int(line["amount_fen"]) - left, int(line["rate_bp"])
    net = taxed(before + taken, rate)["net_fen"] - taxed(before, rate)["net_fen"]
    at_once = taken == line["amount_fen"] and line["base"] is not None
    base = {"base": -line["base"]} if at_once else {"base": None, "rate": None}
    return {**line, "line": number, **base, "net_fen": -net, "tax_fen": net - taken, "amount_fen": -taken}


def anew(lines: Sequence[Line], left: Sequence[int]) -> list[dict[str, Any]]:
    """Return the lines of the invoice that takes the place of another: what was left of it, with the tax in that."""
    found = []
    for line, amount in zip(lines, left, strict=True):
        if amount:
            of_part = {} if amount == line["amount_fen"] else {"base": None, "rate": None}
            found.append({**line, **of_part, **taxed(amount, line["rate_bp"]), "amount_fen": amount})
    return found
