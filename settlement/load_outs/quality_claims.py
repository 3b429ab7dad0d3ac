"""Quality claims (质量异议): the holder of a lot that has left disputes its certificate.

A claim is open to the holder of the load-out within CLAIM_DAYS working days of its release, with the seal whole (domain
sheet 2.8). It freezes the record of the lots (lock CLAIM) and goes to an umpire laboratory, which is accredited and has
not assayed the lots before; two people decide by its result, and the side that was wrong pays the umpire. The claim is
upheld if the umpire finds less than the certificates by more than the splitting limit of the form (domain sheet 3.5),
else dismissed; there is at most one decided claim about a lot. Weight and visible faults are decided at the counter
before the signatures.

The venue pays an upheld claim out of its own account, by a correction that names the claim
(``settlement.ledger.corrections``).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import FINENESS_ONE, MAX_MONEY_FEN, BadValue, format_money
from settlement.assays import assay, laboratories
from settlement.base import proposals, working_days
from settlement.base.arithmetic import fine_weight, format_fineness
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance, load
from settlement.base.texts import printable
from settlement.charges import accruals, tariff
from settlement.documents.load_outs import QUALITY_CLAIM
from settlement.load_outs import load_outs
from settlement.lots import locks, lots
from settlement.lots.splitting import SPLIT_LIMIT_E5
from settlement.tables.load_outs import quality_claim

LOCK = "CLAIM"


async def open_claim(
    connection: AsyncConnection, by: str, load_out_no: int, lot_ids: Sequence[int], reason: str, *, seal_whole: bool
) -> int:
    """Open a claim about lots of a released load-out and return its number.

    Raises BadValue for a lot that is not of the load-out; Refused before the release (ILLEGAL_STEP), after the window
    (TOO_LATE), with a broken seal (SEAL_BROKEN), if a claim is open already (LOCKED), or was decided (CLAIM_DECIDED).
    """
    printable("reason", reason, 64)
    row = await load_outs.find(connection, load_out_no)
    if row.status != "RELEASED":
        raise Refused("ILLEGAL_STEP", f"load-out {load_out_no} is {row.status}; to claim it must be RELEASED")
    of_load_out = await load_outs.lots_of(connection, [load_out_no])
    chosen = sorted(set(lot_ids))
    if not chosen or not set(chosen) <= set(of_load_out):
        raise BadValue("lots", list(lot_ids), f"some of {', '.join(map(str, of_load_out))}, the lots of the load-out")
    today = working_days.today()
    days = (await tariff.on(connection, today))["CLAIM_DAYS"]
    last = await working_days.after(connection, working_days.day_of(row.released_at), days)
    if today > last:
        raise Refused("TOO_LATE", f"load-out {load_out_no} could be claimed about until {last.isoformat()}")
    if not seal_whole:
        raise Refused("SEAL_BROKEN", "a quality claim needs an unbroken seal: metal under a broken one proves nothing")
    await _check_not_decided(connection, chosen)
    values = {
        "load_out_no": load_out_no,
        "lots": chosen,
        "reason": reason,
        "last_day": last,
        "status": QUALITY_CLAIM.steps["open"].after,
        "opened_by": by,
        "opened_at": now_ms(),
    }
    added = await connection.execute(insert(quality_claim).values(values).returning(quality_claim.c.claim_no))
    number = int(added.scalar_one())
    await locks.lay(connection, by, LOCK, chosen, reason, number)
    return number


async def _check_not_decided(connection: AsyncConnection, lot_ids: Sequence[int]) -> None:
    same = quality_claim.c.lots.op("&&")(literal(list(lot_ids), quality_claim.c.lots.type))
    query = (
        select(quality_claim)
        .where(quality_claim.c.status == "DECIDED", same)
        .order_by(quality_claim.c.claim_no)
        .limit(1)
    )
    if (row := (await connection.execute(query)).first()) is not None:
        (first, *_) = sorted(set(row.lots) & set(lot_ids))
        how = "upheld" if row.upheld else "dismissed"
        raise Refused("CLAIM_DECIDED", f"claim {row.claim_no} about lot {first} was {how}, which is final")


async def send(connection: AsyncConnection, by: str, claim_no: int, laboratory: str) -> None:
    """Record that the reserve samples go to the umpire laboratory.

    Raises BadValue for a laboratory that is unknown or has assayed one of the lots, Refused (NOT_ACCREDITED).
    """
    row = await find(connection, claim_no)
    await laboratories.check(connection, [laboratory])
    for lot_id, found in (await assay.of_lots(connection, row.lots)).items():
        if laboratory in [one.laboratory for one in found]:
            allowed = f"a laboratory that has not assayed the lots; it has assayed lot {lot_id}"
            raise BadValue("laboratory", laboratory, allowed)
    await advance(connection, quality_claim, QUALITY_CLAIM, by, "send", [claim_no], {"laboratory": laboratory})


async def propose(
    connection: AsyncConnection, by: str, claim_no: int, umpire_e5: int, fee_fen: int, *, upheld: bool | None = None
) -> int:
    """Propose the decision that follows from the umpire's fineness, and return the proposal's number.

    The losing side pays the fee. ``upheld`` is the decision that the proposer expects; BadValue is raised if the
    figures say otherwise.
    """
    if not 1 <= umpire_e5 <= FINENESS_ONE:
        raise BadValue("fineness", format_fineness(umpire_e5), "0.01 to 1000 per mille")
    if not 0 <= fee_fen <= MAX_MONEY_FEN:
        raise BadValue("fee", format_money(fee_fen), "an amount of money that is not negative")
    about = await find(connection, claim_no)
    certified = await lots.find(connection, about.lots)
    found = any(_is_short(held, umpire_e5) for held in certified.values())
    if upheld is not None and upheld is not found:
        limits = ", ".join(sorted({format_fineness(SPLIT_LIMIT_E5[held.form]) for held in certified.values()}))
        certificates = ", ".join(sorted({format_fineness(held.fineness_e5) for held in certified.values()}))
        follows = f"{found}: certified are {certificates} per mille, and up to {limits} less is allowed"
        raise BadValue("upheld", upheld, follows)
    payer = "VENUE" if found else "MEMBER"
    values = {"umpire_e5": umpire_e5, "umpire_fee_fen": fee_fen, "upheld": found, "payer": payer}
    rows = await advance(connection, quality_claim, QUALITY_CLAIM, by, "propose", [claim_no], values)
    row = rows[claim_no]
    difference = sum(
        held.fine_mg - fine_weight(held.melt_cg or held.gross_cg, umpire_e5).mg for held in certified.values()
    )
    summary = {
        "claim": claim_no,
        "load_out": row.load_out_no,
        "lots": list(row.lots),
        "laboratory": row.laboratory,
        "umpire_permille": format_fineness(umpire_e5),
        "short_of_certificate_mg": difference,
        "upheld": found,
        "pays_umpire": payer,
        "umpire_fee": format_money(fee_fen),
    }
    return await proposals.propose(connection, by, "claim", [claim_no], summary)


def _is_short(held: Row[Any], umpire_e5: int) -> bool:
    """Return whether the umpire's fineness is too far below the certificate's: by more than two results may differ."""
    return bool(held.fineness_e5 - umpire_e5 > SPLIT_LIMIT_E5[held.form])


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decide: the record of the lots is free again, and a claimant who was wrong is charged the umpire."""
    rows = await advance(connection, quality_claim, QUALITY_CLAIM, by, "decide", subjects)
    for number, row in rows.items():
        await locks.lift(connection, by, LOCK, number)
        if row.payer == "MEMBER":
            claimant = await load_outs.find(connection, row.load_out_no)
            await accruals.charge_umpire(connection, claimant.account, claimant.symbol, row.umpire_fee_fen, number)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Leave the claims with the umpire."""
    cleared = {"umpire_e5": None, "umpire_fee_fen": None, "upheld": None, "payer": None}
    await advance(connection, quality_claim, QUALITY_CLAIM, by, "decline", subjects, cleared)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return quality claims, oldest first."""
    return await fetch(connection, select(quality_claim), (quality_claim.c.claim_no,), page)


async def find(connection: AsyncConnection, claim_no: int) -> Row[Any]:
    """Return a claim. Raises BadValue for an unknown number."""
    return (await load(connection, quality_claim, QUALITY_CLAIM, [claim_no]))[claim_no]
