"""From the counter to the register: arrival, weighing, screening, melting, assay, certificate, registration.

Each function takes one step with many lots, all or none, in the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement import assay, audit, customs, lots
from settlement.arithmetic import fine_weight, format_cg, format_fineness
from settlement.bar_list import BarKey, Declared, Measured
from settlement.database import now_ms
from settlement.refusal import Refused
from settlement.schema import custody_event, instrument, lot, trading_account
from settlement.sheets import BadFile, RowError
from settlement.sub_accounts import CUSTODY_MEMBER

MUST_BE_MELTED = ("SCRAP_JEWEL", "KARAT_ALLOY")
"""Forms that are not homogeneous enough to be sampled as they come (domain sheet 3.1)."""

_NO_LONGER_HERE = ("RELEASED", "RETURNED")


async def receive(connection: AsyncConnection, by: str, rows: Sequence[Declared]) -> list[int]:
    """Takes in the lots of a bar list as ARRIVED; returns their numbers.

    Raises BadFile, with every row that names an unknown account, class or warehouse, does not fit its class's form
    or fineness band, or is in the register already.
    """
    errors = await problems(connection, rows)
    if errors:
        raise BadFile(sorted(errors))
    values = [
        {
            **{"refiner": row.key.refiner, "serial": row.key.serial, "year": row.key.year, "symbol": row.symbol},
            **{"form": row.form, "account": row.account, "warehouse": row.warehouse, "origin": row.origin},
            **{"origin_document": row.origin_document, "declared_gross_cg": row.gross_cg},
            **{"declared_fineness_e5": row.fineness_e5, "state": "ARRIVED"},
        }
        for row in rows
    ]
    added = await connection.execute(insert(lot).returning(lot.c.lot_id, sort_by_parameter_order=True), values)
    numbers = [int(row.lot_id) for row in added]
    at = now_ms()
    events = [
        {
            **{"lot_id": number, "step": "arrive", "state": "ARRIVED", "at": at, "by": by},
            **{"warehouse": row.warehouse, "detail": {"declared_gross_g": format_cg(row.gross_cg)}},
        }
        for number, row in zip(numbers, rows, strict=True)
    ]
    await connection.execute(insert(custody_event), events)
    subject = f"lots:{numbers[0]}-{numbers[-1]}"
    await audit.record(connection, audit.Act(by, "lots.receive", subject, {"lots": len(numbers)}))
    return numbers


async def problems(connection: AsyncConnection, rows: Sequence[Declared]) -> list[RowError]:
    """What the register has against these rows: unknown names, wrong form or band, lots that are here already."""
    classes = {row.symbol: row for row in await connection.execute(select(instrument))}
    mine = select(trading_account.c.account).where(trading_account.c.member != CUSTODY_MEMBER)
    accounts = set((await connection.execute(mine)).scalars())
    places = await customs.of_warehouses(connection)
    takes = await customs.of_classes(connection, classes)
    present = await find_by_key(connection, [row.key for row in rows])
    errors = []
    for row in rows:
        grade = classes.get(row.symbol)
        if grade is None:
            errors.append(RowError(row.line, "symbol", f"{row.symbol!r} is not a class that the exchange has defined"))
        elif row.form != grade.form:
            errors.append(RowError(row.line, "form", f"{row.form} is not allowed; {row.symbol} takes {grade.form}"))
        elif not grade.min_fineness <= row.fineness_e5 <= grade.max_fineness:
            errors.append(RowError(row.line, "fineness_permille", _outside_band(row.fineness_e5, grade)))
        if row.account not in accounts:
            errors.append(RowError(row.line, "account", f"{row.account!r} is not an account that the exchange opened"))
        if row.warehouse not in places:
            errors.append(RowError(row.line, "warehouse", f"{row.warehouse!r} is not a warehouse"))
        elif grade is not None and places[row.warehouse] != takes[row.symbol]:
            text = f"{row.warehouse} is {places[row.warehouse]}; {row.symbol} takes {takes[row.symbol]} metal"
            errors.append(RowError(row.line, "warehouse", text))
        if row.key in present:
            errors.append(RowError(row.line, "serial", f"{row.key} is lot {present[row.key].lot_id} of the register"))
    return errors


def _outside_band(fineness_e5: int, grade: Row[Any]) -> str:
    low, high = format_fineness(grade.min_fineness), format_fineness(grade.max_fineness)
    return f"{format_fineness(fineness_e5)} per mille is outside the band of {grade.symbol}, {low} to {high}"


async def find_by_key(connection: AsyncConnection, keys: Sequence[BarKey]) -> dict[BarKey, Row[Any]]:
    """Lots that are here now, by refiner, serial and year."""
    found: dict[BarKey, Row[Any]] = {}
    for start in range(0, len(keys), 5_000):
        some = [tuple(key) for key in keys[start : start + 5_000]]
        query = select(lot).where(
            tuple_(lot.c.refiner, lot.c.serial, lot.c.year).in_(some), lot.c.state.not_in(_NO_LONGER_HERE)
        )
        found |= {BarKey(row.refiner, row.serial, row.year): row for row in await connection.execute(query)}
    return found


async def not_there(connection: AsyncConnection, rows: Sequence[Measured]) -> list[RowError]:
    """Rows whose lot is not in the register, or has been processed."""
    found = await find_by_key(connection, [row.key for row in rows])
    errors = [RowError(row.line, "serial", f"{row.key} is not in the register") for row in rows if row.key not in found]
    lost = [(row, found[row.key]) for row in rows if row.key in found and found[row.key].state != "ARRIVED"]
    return errors + [
        RowError(row.line, "serial", f"{row.key}, lot {there.lot_id}, is {there.state}; it must be ARRIVED")
        for row, there in lost
    ]


async def process(connection: AsyncConnection, by: str, rows: Sequence[Measured]) -> list[int]:
    """Takes arrived lots through every step to REGISTERED by their measured values; returns their numbers.

    Raises BadFile for lots that are not in the register, and what the steps raise.
    """
    if errors := await not_there(connection, rows):
        raise BadFile(errors)
    found = await find_by_key(connection, [row.key for row in rows])
    measured = {int(found[row.key].lot_id): row for row in rows}
    await weigh(connection, by, measured)
    await screen(connection, by, {number: row.xrf_e5 for number, row in measured.items()})
    melted = {number: row.melt_cg for number, row in measured.items() if row.melt_cg is not None}
    await melt(connection, by, melted)
    results = {number: (row.laboratory, row.replicates_ppm) for number, row in measured.items()}
    await fire_assay(connection, by, results)
    await certify(connection, by, list(measured))
    await register(connection, by, list(measured))
    return sorted(measured)


async def weigh(connection: AsyncConnection, by: str, measured: Mapping[int, Measured]) -> None:
    """The warehouse's weight, which counts from now on; the difference to the declared one is kept in the history.

    Where refiner and vault differ the vault's weight is the record (domain sheet 4.1, LBMA).
    """
    known = await lots.find(connection, list(measured))
    details = {
        number: {
            **{"gross_g": format_cg(row.weighed_cg), "scale": row.scale, "seal": row.seal},
            "declared_difference_cg": row.weighed_cg - known[number].declared_gross_cg,
        }
        for number, row in measured.items()
    }
    values = {number: {"gross_cg": row.weighed_cg} for number, row in measured.items()}
    await lots.take(connection, by, "weigh", list(measured), values=values, details=details)


async def screen(connection: AsyncConnection, by: str, xrf_e5: Mapping[int, int]) -> None:
    """X-ray screening: goes into the history, never into the fineness."""
    details = {number: {"xrf_permille": format_fineness(e5)} for number, e5 in xrf_e5.items()}
    await lots.take(connection, by, "screen", list(xrf_e5), details=details)
    await assay.record_screening(connection, by, xrf_e5)


async def melt(connection: AsyncConnection, by: str, melt_cg: Mapping[int, int]) -> None:
    """The weight after melting; what was lost is kept in the history. Refused if it is more than before."""
    known = await lots.find(connection, list(melt_cg))
    for number, cg in melt_cg.items():
        if known[number].gross_cg is not None and cg > known[number].gross_cg:
            before = format_cg(known[number].gross_cg)
            raise Refused("MELT_GAIN", f"lot {number}: {format_cg(cg)} g after melting is more than {before} g before")
    details = {
        number: {"melt_g": format_cg(cg), "loss_cg": (known[number].gross_cg or cg) - cg}
        for number, cg in melt_cg.items()
    }
    values = {number: {"melt_cg": cg} for number, cg in melt_cg.items()}
    await lots.take(connection, by, "melt", list(melt_cg), values=values, details=details)


async def fire_assay(connection: AsyncConnection, by: str, results: Mapping[int, tuple[str, Sequence[int]]]) -> None:
    """Laboratory and replicates by lot. Refused for a form that must be melted first, or replicates too far apart."""
    for row in (await lots.find(connection, list(results))).values():
        if row.form in MUST_BE_MELTED and row.melt_cg is None:
            raise Refused("MUST_BE_MELTED", f"lot {row.lot_id}: {row.form} must be melted before it is sampled")
    reported = await assay.record_fire_assay(connection, by, results)
    details = {
        number: {"laboratory": results[number][0], "reported_permille": format_fineness(e5)}
        for number, e5 in reported.items()
    }
    await lots.take(connection, by, "assay", list(results), details=details)


async def certify(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Fixes fineness and fine gold by certificate. Refused (OUTSIDE_BAND) where the class does not take the result."""
    found = await lots.find(connection, lot_ids, lock=True)
    classes = {row.symbol: row for row in await connection.execute(select(instrument))}
    finals = await assay.final_assays(connection, lot_ids)
    values, details, contents = {}, {}, {}
    for number, row in found.items():
        final = finals.get(number)
        if final is None:
            raise Refused("ILLEGAL_STEP", f"lot {number} is {row.state} and has no fire assay to certify")
        grade = classes[row.symbol]
        if not grade.min_fineness <= final.reported_e5 <= grade.max_fineness:
            raise Refused("OUTSIDE_BAND", f"lot {number}: {_outside_band(final.reported_e5, grade)}")
        content = assay.certify(row, final)
        if content["fine_mg"] == 0:
            raise Refused("NO_GOLD", f"lot {number} holds less than 1 mg of fine gold")
        fine = fine_weight(content["weight_cg"], final.reported_e5)
        values[number] = {"fineness_e5": final.reported_e5, "fine_mg": fine.mg, "residue_1e7": fine.residue_1e7}
        details[number] = {"fineness_permille": format_fineness(final.reported_e5), "fine_mg": fine.mg}
        contents[number] = (final.assay_id, assay.written(content))
    await lots.take(connection, by, "certify", lot_ids, values=values, details=details)
    await assay.issue_certificates(connection, contents)


async def register(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Enters certified lots into the register: from now on they may have a receipt."""
    await lots.take(connection, by, "register", lot_ids)
    fine = {number: row.fine_mg for number, row in (await lots.find(connection, lot_ids)).items()}
    acts = [audit.Act(by, "lot.register", f"lot:{number}", {"fine_mg": mg}) for number, mg in fine.items()]
    await audit.record_all(connection, acts)


async def reject(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> None:
    """A lot that the venue does not take. It stays in the warehouse until it is returned."""
    await lots.take(connection, by, "reject", [lot_id], details={lot_id: {"reason": reason}})
    await audit.record(connection, audit.Act(by, "lot.reject", f"lot:{lot_id}", {"reason": reason}))


async def give_back(connection: AsyncConnection, by: str, lot_id: int, collector: str) -> None:
    """Hands a rejected lot back to its depositor."""
    await lots.take(connection, by, "return", [lot_id], details={lot_id: {"collector": collector}})
    await audit.record(connection, audit.Act(by, "lot.return", f"lot:{lot_id}", {"collector": collector}))
