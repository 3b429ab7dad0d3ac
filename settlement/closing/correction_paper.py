"""The corrections of invoices of a day on a member's statement, as a table and as a sheet."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from settlement.closing.paper import Column, Paper
from settlement.closing.words import money
from settlement.workbooks.writing import Sheet, scaled

_SUMS: Final = ("net_fen", "tax_fen", "amount_fen")


def write(paper: Paper, corrections: Sequence[Mapping[str, Any]], say: Any) -> None:
    """Write the table of the corrections."""
    columns = [Column("№", 16), Column(say("correction"), 50), Column(say("reason"), 46)]
    columns += [Column(say(name), 26, right=True) for name in ("net", "tax", "amount")]
    rows = [
        (
            str(one["invoice"]),
            _what_it_corrects(one, say),
            one.get("reason", ""),
            *(money(one[name]) for name in _SUMS),
        )
        for one in corrections
    ]
    paper.table(columns, rows)


def _what_it_corrects(one: Mapping[str, Any], say: Any) -> str:
    name = "replaces" if "replaces" in one else "corrects_part" if "remaining_fen" in one else "corrects"
    return f"{say(name)} № {one['replaces' if name == 'replaces' else 'corrects']}"


def sheet(corrections: Sequence[Mapping[str, Any]], say: Any) -> Sheet:
    """Return the sheet of the corrections."""
    heading = (say("invoice"), say("correction"), say("reason"), *(say(name) for name in ("net", "tax", "amount")))
    rows = [
        (
            one["invoice"],
            _what_it_corrects(one, say),
            one.get("reason", ""),
            *(scaled(one[name], 2) for name in _SUMS),
        )
        for one in corrections
    ]
    return Sheet(say("invoice_corrections"), heading, rows)
