"""The part of a statement of account about money that the account owes the venue, on paper and in a workbook."""

from collections.abc import Mapping
from typing import Any, Final

from settlement.closing.paper import Column, Paper
from settlement.closing.words import moment, money
from settlement.workbooks.writing import Sheet, scaled

_FIGURES: Final = ("opening", "made", "collected", "closing")


def write(paper: Paper, claim: Mapping[str, Any], say: Any) -> None:
    """Write what is owed at both ends of the day, and for an account each entry that changed it."""
    paper.heading(say("claim"))
    paper.table([Column(say(name), 40, right=True) for name in _FIGURES], [[money(claim[name]) for name in _FIGURES]])
    if claim.get("changes"):
        columns = [Column(say("time"), 44), Column(say("kind"), 50), Column(say("document"), 50)]
        columns.append(Column(say("amount"), 36, right=True))
        rows = [
            (moment(each["at"]), say(f"kind.{each['kind']}"), each["document"], money(each["amount"]))
            for each in claim["changes"]
        ]
        paper.table(columns, rows)
    paper.note(say("claim_note"))


def sheet(claim: Mapping[str, Any], say: Any) -> Sheet:
    """Return the same as a sheet: the four figures, then the entries."""
    rows: list[tuple[Any, ...]] = [("", say(name), "", scaled(claim[name], 2)) for name in _FIGURES]
    rows += [
        (moment(each["at"]), say(f"kind.{each['kind']}"), each["document"], scaled(each["amount"], 2))
        for each in claim.get("changes", ())
    ]
    return Sheet(say("claim_sheet"), tuple(map(say, ("time", "kind", "document", "amount"))), rows)
