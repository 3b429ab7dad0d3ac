"""From the counter to the register: pre-advice, arrival, weighing, screening, certificate, registration, or back.

Melts, samples and assays are modules of their own. Each function takes one step with many lots, all or none, in the
caller's transaction; ``settlement.lots.lots`` has the order of the steps.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ARRAY, BigInteger, Row, Text, and_, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import assay, certificates
from settlement.base import proposals
from settlement.base.arithmetic import fine_weight, format_cg, format_fineness
from settlement.base.refusal import Refused
from settlement.base.steps import allow
from settlement.base.sub_accounts import CUSTODY_MEMBER
from settlement.base.texts import printable
from settlement.documents.lots import GONE, LOT
from settlement.intake import melting
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.lots import acceptance, customs, lots, provenance, scales
from settlement.lots.acceptance import declared_problems
from settlement.lots.scales import Weighing, Weight
from settlement.tables.ledger import trading_account
from settlement.tables.lots import lot, lot_lock
from settlement.workbooks.cells import BadFile, RowError

_COLUMN = {"form": "form", "warehouse": "warehouse", "fineness": "fineness_permille", "weight": "gross_g"}


class Gross(NamedTuple):
    """The weight of a lot as it came, and on which balance."""

    scale: str
    weight: Weight


async def pre_advise(connection: AsyncConnection, by: str, rows: Sequence[Declared]) -> list[int]:
    """Writes down the lots of a bar list that are to come; returns their numbers.

    Raises BadFile, with every row that names an unknown account, class or warehouse, is not of a form, fineness,
    size or place that its class takes, has a provenance that is not well formed, or is in the register already.
    """
    if errors := await problems(connection, rows):
        raise BadFile(sorted(errors))
    values = [
        {
            "refiner": row.key.refiner,
            "serial": row.key.serial,
            "year": row.key.year,
            "symbol": row.symbol,
            "form": row.form,
            "account": row.account,
            "warehouse": row.warehouse,
            "state": "PRE_ADVISED",
            "declared_gross_cg": row.gross_cg,
            "declared_fineness_e5": row.fineness_e5,
        }
        for row in rows
    ]
    added = await connection.execute(insert(lot).returning(lot.c.lot_id, sort_by_parameter_order=True), values)
    numbers = [int(row.lot_id) for row in added]
    places = dict(zip(numbers, (row.warehouse for row in rows), strict=True))
    details = {
        number: {"declared_gross_g": format_cg(row.gross_cg), "declared_permille": format_fineness(row.fineness_e5)}
        for number, row in zip(numbers, rows, strict=True)
    }
    await lots.born(connection, by, "pre_advise", places, details)
    records = {number: row.provenance for number, row in zip(numbers, rows, strict=True)}
    await provenance.write(connection, by, records)
    return numbers


async def problems(connection: AsyncConnection, rows: Sequence[Declared]) -> list[RowError]:
    """What the register has against these rows: unknown names, lots that no class takes or that are here already."""
    classes = await acceptance.terms(connection)
    mine = select(trading_account.c.account).where(trading_account.c.member != CUSTODY_MEMBER)
    accounts = set((await connection.execute(mine)).scalars())
    places = await customs.of_warehouses(connection)
    takes = await customs.of_classes(connection, classes)
    present = await find_by_key(connection, [row.key for row in rows])
    disputed = await find_disputed(connection, [row.key for row in rows])
    errors = []
    for row in rows:
        terms = classes.get(row.symbol)
        if terms is None:
            errors.append(RowError(row.line, "symbol", f"{row.symbol!r} is not a class that the exchange has defined"))
        else:
            against = declared_problems(terms, row.form, row.warehouse, row.gross_cg, row.fineness_e5)
            errors += [RowError(row.line, _COLUMN[about], text) for about, text in against.items()]
        if row.account not in accounts:
            errors.append(RowError(row.line, "account", f"{row.account!r} is not an account that the exchange opened"))
        if row.warehouse not in places:
            errors.append(RowError(row.line, "warehouse", f"{row.warehouse!r} is not a warehouse"))
        elif terms is not None and places[row.warehouse] != takes[row.symbol]:
            text = f"{row.warehouse} is {places[row.warehouse]}; {row.symbol} takes {takes[row.symbol]} metal"
            errors.append(RowError(row.line, "warehouse", text))
        if row.key in disputed:
            errors.append(RowError(row.line, "serial", f"{row.key} is under a quality claim: lot {disputed[row.key]}"))
        if row.key in present:
            errors.append(RowError(row.line, "serial", f"{row.key} is lot {present[row.key].lot_id} of the register"))
        try:
            provenance.check(row.provenance)
        except BadValue as error:
            errors.append(RowError(row.line, error.field, str(error)))
    return errors


async def find_by_key(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, Row[tuple[object, ...]]]:
    """Lots that are here now, or to come, by refiner, serial and year."""
    several = func.unnest(
        literal([key.refiner for key in keys], ARRAY(Text)),
        literal([key.serial for key in keys], ARRAY(Text)),
        literal([key.year for key in keys], ARRAY(BigInteger)),
    )
    wanted = several.table_valued("refiner", "serial", "year").render_derived(name="wanted")
    same = and_(*(getattr(lot.c, name) == getattr(wanted.c, name) for name in BarKey._fields))
    query = select(lot).join(wanted, same).where(lot.c.state.not_in(GONE))
    return {BarKey(row.refiner, row.serial, row.year): row for row in await connection.execute(query)}


async def arrive(connection: AsyncConnection, by: str, seals: Mapping[int, str]) -> None:
    """Lots have come, each under the seal of that number. Raises BadValue, Refused (ILLEGAL_STEP)."""
    for seal in seals.values():
        printable("seal", seal, 32)
    details = {number: {"seal": seal} for number, seal in seals.items()}
    await lots.take(connection, by, "arrive", list(seals), details=details)


async def find_disputed(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, int]:
    """Those of these bars that have left and are under a quality claim, with the number of the lot."""
    columns = (lot.c.lot_id, lot.c.refiner, lot.c.serial, lot.c.year)
    claimed = select(*columns).join(lot_lock, lot_lock.c.lot_id == lot.c.lot_id)
    claimed = claimed.where(lot_lock.c.kind == "CLAIM", lot_lock.c.lifted_at.is_(None))
    found = {BarKey(r.refiner, r.serial, r.year): int(r.lot_id) for r in await connection.execute(claimed)}
    return {key: found[key] for key in keys if key in found}


async def weigh(connection: AsyncConnection, by: str, weighed: Mapping[int, Gross]) -> None:
    """The warehouse's weight, which counts from now on; the difference to the declared one is kept in the history.

    Where refiner and vault differ the vault's weight is the record (domain sheet 4.1, LBMA). Raises what
    ``scales.check`` raises.
    """
    known = await lots.find(connection, list(weighed), lock=True)
    await scales.check(
        connection, [Weighing(n, known[n].warehouse, found.scale, found.weight) for n, found in weighed.items()]
    )
    details = {
        number: {
            "gross_g": format_cg(found.weight.cg),
            "scale": found.scale,
            "declared_difference_cg": found.weight.cg - known[number].declared_gross_cg,
        }
        for number, found in weighed.items()
    }
    values = {number: {"gross_cg": found.weight.cg} for number, found in weighed.items()}
    await lots.take(connection, by, "weigh", list(weighed), values=values, details=details)


async def screen(
    connection: AsyncConnection, by: str, points_e5: Mapping[int, Sequence[int]], instrument: str = "XRF"
) -> None:
    """X-ray screening: its points in whole per mille. It goes into the history, never into the fineness."""
    means = await assay.record_screenings(connection, by, points_e5, instrument)
    details = {
        number: {"xrf_permille": means[number] // 100, "points": [point // 100 for point in points], "on": instrument}
        for number, points in points_e5.items()
    }
    await lots.take(connection, by, "screen", list(points_e5), details=details)


async def certify(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Fixes fineness and fine gold by certificate.

    Refused (OUTSIDE_BAND, NOT_ACCEPTED) where the class does not take the result, (NO_GOLD) for less than 1 mg.
    """
    found = await lots.find(connection, lot_ids, lock=True)
    classes = await acceptance.terms(connection)
    finals = await assay.findings(connection, lot_ids)
    values, details = {}, {}
    for number, row in found.items():
        allow(LOT, "certify", number, row.state)
        final = finals[number].final_e5
        fine = fine_weight(row.melt_cg if row.melt_cg is not None else row.gross_cg, final)
        if fine.mg == 0:
            raise Refused("NO_GOLD", f"lot {number} holds less than 1 mg of fine gold")
        acceptance.refuse(classes[row.symbol], row, final, fine.mg)
        values[number] = {"fineness_e5": final, "fine_mg": fine.mg, "residue_1e7": fine.residue_1e7}
    contents = await certificates.issue(connection, by, list(found.values()))
    for number, content in contents.items():
        details[number] = {
            "certificate": content["certificate"],
            "fine_mg": content["fine"]["fine_mg"],
            "fineness_permille": format_fineness(content["finding"]["fineness_e5"]),
        }
    await lots.take(connection, by, "certify", lot_ids, values=values, details=details)
    await melting.close_fine(connection, {number: value["fine_mg"] for number, value in values.items()})


async def obstacles(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, str]:
    """Lots that may not be registered yet, and why: provenance, or a melt alarm that nobody has explained."""
    return await provenance.obstacles(connection, lot_ids) | await melting.unexplained(connection, lot_ids)


async def register(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Enters certified lots into the register: from now on they may have a receipt.

    Refused (BLOCKED) for a lot with an obstacle, (OUTSIDE_BAND, NOT_ACCEPTED) for one that its class takes no more.
    """
    found = await lots.find(connection, lot_ids, lock=True)
    for number, row in found.items():
        allow(LOT, "register", number, row.state)
    for number, text in (await obstacles(connection, lot_ids)).items():
        raise Refused("BLOCKED", f"lot {number} cannot be registered: {text}")
    await acceptance.check(connection, list(found.values()))
    details = {number: {"fine_mg": row.fine_mg} for number, row in found.items()}
    await lots.take(connection, by, "register", lot_ids, details=details)


async def cancel(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> None:
    """A lot that was advised and does not come."""
    await lots.take(connection, by, "cancel", [lot_id], details={lot_id: {"reason": printable("reason", reason, 200)}})


async def reject(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> None:
    """A lot that the venue does not take. It stays in the warehouse until it is returned."""
    await lots.take(connection, by, "reject", [lot_id], details={lot_id: {"reason": printable("reason", reason, 200)}})


async def quarantine(connection: AsyncConnection, by: str, lot_id: int, reason: str, authority: str) -> None:
    """Holds a lot at once, on one person's word: money laundering or the police. Nothing can be done with it.

    ``authority``: whose hold it is, or the number of its order. Refused where gold of the lot is, or may soon be, on an
    account (RECEIPT_EXISTS): that is what a legal hold of the receipt is for.
    """
    row = (await lots.find(connection, [lot_id], lock=True))[lot_id]
    await lots.check_no_receipt(connection, [lot_id])
    detail = {"reason": printable("reason", reason, 200), "authority": printable("authority", authority, 200)}
    values = {lot_id: {"held_state": row.state}}
    await lots.take(connection, by, "quarantine", [lot_id], values=values, details={lot_id: detail})


async def propose_lift(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> int:
    """Proposes to end a quarantine; returns the proposal's number."""
    row = (await lots.find(connection, [lot_id]))[lot_id]
    allow(LOT, "lift", lot_id, row.state)
    summary = {"lot": lot_id, "back_to": row.held_state, "reason": printable("reason", reason, 200)}
    return await proposals.propose(connection, by, "lot_lift", [lot_id], summary)


async def propose_return(connection: AsyncConnection, by: str, lot_id: int, collector: str) -> int:
    """Proposes to hand a rejected lot back to its depositor; returns the proposal's number."""
    row = (await lots.find(connection, [lot_id]))[lot_id]
    allow(LOT, "return", lot_id, row.state)
    summary = {"lot": lot_id, "account": row.account, "collector": printable("collector", collector, 200)}
    return await proposals.propose(connection, by, "lot_return", [lot_id], summary)


class Lift:
    """The decision to end a quarantine: the lot goes back to where it stood."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The hold is over."""
        await lots.take(connection, by, "lift", subjects)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The hold goes on."""


class Return:
    """The decision to hand a rejected lot back."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The lot leaves, into the hands that the proposal named."""
        agreed = await proposals.newest(connection, "lot_return", subjects)
        details = {number: {"collector": agreed.summary["collector"]} for number in subjects}
        await lots.take(connection, by, "return", subjects, details=details)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """It stays."""
