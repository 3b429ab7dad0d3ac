"""Resolutions of breaks: by an entry, a weight or an assay that exists, or written off by two people.

A resolution names what ended the difference, and is taken only if that belongs to the account or the lot of the break
and came after it. The next run has to show that the difference is gone; a run that finds it again reopens the break.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_amount, format_money
from settlement.base import proposals
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import allow
from settlement.base.sub_accounts import owner_of
from settlement.base.texts import printable
from settlement.documents.kinds import APPROVED, PROPOSED
from settlement.documents.ledger import CORRECTION
from settlement.documents.reconciliation import BREAK
from settlement.ledger import corrections
from settlement.reconciliation import break_limits, break_values, break_work, day_end
from settlement.reconciliation.break_areas import DAY_END, ENGINE, area_of
from settlement.reconciliation.breaks import shown, venue_account
from settlement.tables.assays import assay
from settlement.tables.base import proposal
from settlement.tables.ledger import cash_transfer, correction
from settlement.tables.reconciliation import recon_break

_SUSPENSE: Final = venue_account("suspense")
_Check = Callable[[AsyncConnection, Row[Any], int], Coroutine[Any, Any, str]]


async def _by_correction(connection: AsyncConnection, row: Row[Any], number: int) -> str:
    """Check that the proposal of a correction is done and moved the asset of an account that the break is about."""
    found = await proposals.find(connection, number)
    query = select(correction).where(correction.c.correction_no.in_(found.subjects))
    entry = (await connection.execute(query)).first() if found.kind == "correction" else None
    if entry is None:
        raise BadValue("document", number, "the number of the proposal of a correction")
    if entry.status != CORRECTION.steps["complete"].after:
        raise Refused("NOT_RESOLVED", f"the correction of proposal {number} is {entry.status}: it has moved nothing")
    if row.asset not in ("", corrections.asset_of(entry)):
        text = f"proposal {number} corrects {corrections.asset_of(entry)}; break {row.break_id} is about {row.asset}"
        raise Refused("NOT_RESOLVED", text)
    moved = {account or _SUSPENSE for account in (entry.from_account, entry.to_account)}
    about = await _accounts(connection, row)
    if not moved & about:
        text = f"proposal {number} corrects {', '.join(sorted(moved))}; break {row.break_id} is about"
        raise Refused("NOT_RESOLVED", f"{text} {', '.join(sorted(about)) or 'no account'}")
    await _check_later(connection, row, number)
    if row.kind == DAY_END:
        _check_fits(row, entry, number)
    return f"proposal:{number}"


def _check_fits(row: Row[Any], entry: Row[Any], number: int) -> None:
    """Check that a correction can be that of a difference at a day's end: between two accounts, and of its amount.

    The other corrections pay a claim or take back what came or went without a document, which is a break of its own.
    """
    if None in (entry.from_account, entry.to_account) or entry.entry is not None or entry.claim_no is not None:
        text = f"proposal {number} corrects what came or went without a document, or pays a claim"
        raise Refused("NOT_RESOLVED", f"{text}; break {row.break_id} needs a correction between two accounts")
    moved = entry.amount_fen if entry.symbol is None else entry.fine_mg
    difference = abs(int(row.found) - int(row.expected))
    if moved != difference:
        text, is_about = (format_amount(amount, row.asset) for amount in (moved, difference))
        raise Refused("NOT_RESOLVED", f"proposal {number} corrects {text}; break {row.break_id} is about {is_about}")


async def _accounts(connection: AsyncConnection, row: Row[Any]) -> set[str]:
    """Return the accounts that a break is about: the owner of its own, and that of its money."""
    accounts = set() if row.account is None else {owner_of(row.account)}
    if row.cash_id is not None:
        money = select(cash_transfer.c.account).where(cash_transfer.c.cash_id == row.cash_id)
        accounts.update(await connection.scalars(money))
    return accounts


async def _check_later(connection: AsyncConnection, row: Row[Any], number: int) -> None:
    decided = await connection.scalar(select(proposal.c.decided_at).where(proposal.c.proposal_id == number))
    if decided is None or decided < row.opened_at:
        raise Refused("NOT_RESOLVED", f"proposal {number} was decided before break {row.break_id} was found")


async def _by_weight(connection: AsyncConnection, row: Row[Any], number: int) -> str:
    """Check that the proposal of a weight correction is approved and is about the lot of the break."""
    found = await proposals.find(connection, number)
    if found.kind != "weight_correction":
        raise BadValue("document", number, "the number of the proposal of a weight correction")
    if found.status != APPROVED:
        raise Refused("NOT_RESOLVED", f"proposal {number} is {found.status}: the weight is as it was")
    if row.lot_id is None or row.lot_id not in found.subjects:
        raise Refused("NOT_RESOLVED", _other_lot(f"proposal {number}", found.subjects, row))
    await _check_later(connection, row, number)
    return f"proposal:{number}"


async def _by_assay(connection: AsyncConnection, row: Row[Any], number: int) -> str:
    """Check that a fire assay is of the lot of the break and was made after it."""
    columns = (assay.c.lot_id, assay.c.method, assay.c.at)
    found = (await connection.execute(select(*columns).where(assay.c.assay_id == number))).first()
    if found is None or found.method != "FIRE_ASSAY":
        raise BadValue("document", number, "the number of a fire assay")
    if row.lot_id is None or found.lot_id != row.lot_id:
        raise Refused("NOT_RESOLVED", _other_lot(f"assay {number}", (found.lot_id,), row))
    if found.at < row.opened_at:
        raise Refused("NOT_RESOLVED", f"assay {number} is older than break {row.break_id}")
    return f"assay:{number}"


def _other_lot(name: str, lots: Sequence[int], row: Row[Any]) -> str:
    about = "no lot" if row.lot_id is None else f"lot {row.lot_id}"
    return f"{name} is about lot {', '.join(map(str, lots))}; break {row.break_id} is about {about}"


_CHECKS: Final[Mapping[str, _Check]] = {"correction": _by_correction, "weight": _by_weight, "assay": _by_assay}
RESOLUTIONS: Final = tuple(_CHECKS)
"""By an entry, by weighing again, by another assay; each names the number of its document."""


async def resolve(
    connection: AsyncConnection, by: str, break_id: int, resolution: str, document: int, reason: str
) -> None:
    """Record what has ended a break: its ``document`` is a proposal's number, for ``assay`` that of the assay.

    Raises BadValue; Refused: ILLEGAL_STEP, NOT_RESOLVED if the document has changed nothing, is about another lot or
    account, or is older than the break.
    """
    if resolution not in _CHECKS:
        raise BadValue("resolution", resolution, "one of " + ", ".join(RESOLUTIONS))
    printable("reason", reason, break_work.LONGEST_NOTE)
    row = await break_work.load(connection, break_id)
    allow(BREAK, "resolve", break_id, row.status)
    named = await _CHECKS[resolution](connection, row, document)
    await break_work.move(connection, row, "resolve")
    await break_work.record(connection, by, break_id, "resolve", reason, named, resolution=resolution)


async def propose_write_off(connection: AsyncConnection, by: str, break_id: int, reason: str) -> int:
    """Propose to leave a small difference as it is and return the proposal's number.

    Raises BadValue; Refused: ILLEGAL_STEP, TOO_VALUABLE as ``_check_value`` does, PROPOSED_ALREADY.
    """
    printable("reason", reason, break_work.LONGEST_NOTE)
    row = await break_work.load(connection, break_id)
    allow(BREAK, "write_off", break_id, row.status)
    value = await _check_value(connection, row)
    about = proposal.c.subjects.op("@>")(literal([break_id], proposal.c.subjects.type))
    waiting = select(proposal.c.proposal_id).where(proposal.c.kind == _KIND, proposal.c.status == PROPOSED, about)
    if (number := await connection.scalar(waiting)) is not None:
        raise Refused("PROPOSED_ALREADY", f"proposal {number} to write break {break_id} off waits for a decision")
    summary = {"break": break_id, **_difference(row), "value": format_money(value), "reason": reason}
    number = await proposals.propose(connection, by, _KIND, [break_id], summary)
    await break_work.record(connection, by, break_id, "propose_write_off", reason, f"proposal:{number}")
    return number


_KIND: Final = "break_write_off"


def _difference(row: Row[Any]) -> dict[str, str]:
    expected, found = (shown(row.unit, row.asset, figure) for figure in (row.expected, row.found))
    return {"kind": row.kind, "subject": row.subject, "expected": expected, "found": found, "note": row.note}


async def _check_value(connection: AsyncConnection, row: Row[Any]) -> int:
    """Return the value of a break in fen. Raises Refused (TOO_VALUABLE) if it is unknown or above its area's limit."""
    area = area_of(row.scope, row.kind)
    if row.kind == DAY_END and await day_end.agree_now(connection, row.account, row.asset):
        # Nothing is left to be corrected, whatever it was worth at the end of its day.
        return (await break_values.of(connection, [row]))[row.break_id] or 0
    if area == ENGINE:
        text = f"break {row.break_id} is between engine and ledger, which must agree: it is never written off"
        raise Refused("TOO_VALUABLE", text)
    value = (await break_values.of(connection, [row]))[row.break_id]
    limit = (await break_limits.by_area(connection))[area][break_limits.WRITE_OFF]
    if value is None or value > limit:
        worth = "of unknown value" if value is None else f"worth {format_money(value)} CNY"
        text = f"break {row.break_id} is {worth}; breaks of {area} are written off up to {format_money(limit)} CNY"
        raise Refused("TOO_VALUABLE", text)
    return value


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Write the breaks off. Raises Refused as ``propose_write_off``, and BREAK_CHANGED if one differs otherwise now."""
    agreed = await proposals.newest(connection, _KIND, subjects)
    for break_id in subjects:
        row = await break_work.load(connection, break_id)
        await _check_value(connection, row)
        now = _difference(row)
        if any(agreed.summary[name] != value for name, value in now.items()):
            text = f"break {break_id} was {agreed.summary['found']} and is {now['found']} by now: propose it again"
            raise Refused("BREAK_CHANGED", text)
        await break_work.move(connection, row, "write_off", closed_at=now_ms())
        document = f"proposal:{agreed.proposal_id}"
        await break_work.record(connection, by, break_id, "write_off", agreed.summary["reason"], document)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Leave the breaks as they are."""
    query = select(recon_break.c.break_id).where(recon_break.c.break_id.in_(subjects))
    for break_id in (await connection.execute(query)).scalars():
        await break_work.record(connection, by, break_id, "decline_write_off", "the write-off was declined")
