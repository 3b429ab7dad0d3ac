"""Melts of one lot by itself, or of several into one, with the loss recorded to the milligram.

Gold is conserved across a melt by weight: parents = child + loss. Where every parent was certified before, it is
conserved by fine gold as well, once the child is certified: fine gold of the parents = of the child + loss.

An unusual loss raises an alarm (``settlement.intake.melt_loss``). An alarm does not stop the work; but a lot is not
registered, and not melted with others, before another person than the one who melted it has explained the loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.assays import two_parties
from settlement.base import audit
from settlement.base.arithmetic import format_cg
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import allow
from settlement.base.texts import mark, printable
from settlement.custody import receipts
from settlement.documents.lots import LOT
from settlement.intake import melt_loss, pre_advice, screening_alarms
from settlement.intake.bar_rows import BarKey
from settlement.lots import locks, lots, provenance, scales
from settlement.lots.scales import Weighing, Weight
from settlement.tables.intake import melt, melt_parent
from settlement.tables.lots import lot, sample


class MeltWeight(NamedTuple):
    """The weight after a melt, and the balance that showed it."""

    scale: str
    weight: Weight


async def melt_each(connection: AsyncConnection, by: str, melted: Mapping[int, MeltWeight], step: str = "melt") -> None:
    """Record the melts of lots, each by itself.

    Step ``remelt`` is for a lot whose samples or results did not agree: its samples go back into the crucible, and an
    exchange of assays that has begun is void. Raises BadValue, and Refused: MELT_GAIN for a lot that is heavier than
    before, ILLEGAL_STEP, and as ``scales.check`` does.
    """
    known = await lots.find(connection, list(melted), lock=True)
    weighings = [Weighing(n, known[n].warehouse, found.scale, found.weight) for n, found in melted.items()]
    await scales.check(connection, weighings)
    at = now_ms()
    forms = sorted({row.form for row in known.values()})
    earlier = {form: await melt_loss.history(connection, form, at) for form in forms}
    rows = []
    for number, found in melted.items():
        before = known[number].melt_cg or known[number].gross_cg or found.weight.cg
        rows.append(_row(known[number].form, before * 10, found, earlier[known[number].form], number, by, at))
    values = {number: {"melt_cg": found.weight.cg} for number, found in melted.items()}
    details = {
        number: {
            "scale": found.scale,
            "melt_g": format_cg(found.weight.cg),
            "loss_g": format_weight(row["loss_mg"]),
            "alarms": row["alarms"],
        }
        for (number, found), row in zip(melted.items(), rows, strict=True)
    }
    await lots.take(connection, by, step, list(melted), values=values, details=details)
    if rows:
        await connection.execute(insert(melt), rows)
    if step == "remelt":
        of_lots = among(sample.c.lot_id, list(melted))
        await connection.execute(update(sample).where(of_lots, sample.c.remelted_at.is_(None)).values(remelted_at=at))
        await two_parties.end_by_remelt(connection, by, list(melted))


def _row(
    form: str, before_mg: int, found: MeltWeight, earlier: Sequence[int], lot_id: int, by: str, at: int
) -> dict[str, Any]:
    loss = before_mg - found.weight.mg
    if loss < 0:
        shown = f"{found.weight} g after melting is more than {format_weight(before_mg)} g before"
        raise Refused("MELT_GAIN", f"lot {lot_id}: {shown}")
    return {
        "lot_id": lot_id,
        "form": form,
        "scale": found.scale,
        "rule": melt_loss.RULE,
        "at": at,
        "by": by,
        "parents_mg": before_mg,
        "child_mg": found.weight.mg,
        "loss_mg": loss,
        "alarms": melt_loss.alarms(form, melt_loss.loss_ppm(before_mg, loss), earlier),
    }


async def combine(connection: AsyncConnection, by: str, parents: Sequence[int], key: BarKey, melted: MeltWeight) -> int:
    """Record the melt of several lots of one account, class, form and warehouse into a new one; return its number.

    Raises BadValue for fewer than two lots or a mark that is in the register; Refused: DIFFERENT_LOTS where the lots do
    not belong together, BLOCKED for a parent's provenance or melt alarm, and as ``melt_each`` does.
    """
    if len(set(parents)) < 2:
        raise BadValue("lots", list(parents), "two or more different lots")
    found = await lots.find(connection, parents, lock=True)
    rows = list(found.values())
    first = rows[0]
    for row in rows:
        for name in ("account", "symbol", "form", "warehouse"):
            if getattr(row, name) != getattr(first, name):
                text = f"lot {row.lot_id} has another {name} than lot {first.lot_id}: they cannot become one"
                raise Refused("DIFFERENT_LOTS", text)
    await _check_parents(connection, rows)
    before = {row.lot_id: (row.melt_cg or row.gross_cg or 0) * 10 for row in rows}
    total = sum(before.values())
    at = now_ms()
    earlier = await melt_loss.history(connection, first.form, at)
    child = await _cast(connection, rows, key, melted, total)
    await scales.check(connection, [Weighing(child, first.warehouse, melted.scale, melted.weight)])
    entry = _row(first.form, total, melted, earlier, child, by, at)
    certified = all(parent.fine_mg is not None for parent in rows)
    entry["fine_parents_mg"] = sum(parent.fine_mg for parent in rows) if certified else None
    number = int((await connection.execute(insert(melt).values(entry).returning(melt.c.melt_no))).scalar_one())
    lines = [
        {"melt_no": number, "lot_id": parent.lot_id, "weight_mg": before[parent.lot_id], "fine_mg": parent.fine_mg}
        for parent in rows
    ]
    await connection.execute(insert(melt_parent), lines)
    detail = {"melt": number, "into": child}
    await lots.take(connection, by, "consume", list(found), details=dict.fromkeys(found, detail))
    cast = {
        "melt": number,
        "parents": list(found),
        "scale": melted.scale,
        "melt_g": format_cg(melted.weight.cg),
        "loss_g": format_weight(entry["loss_mg"]),
        "alarms": entry["alarms"],
        **key._asdict(),
        **{name: getattr(first, name) for name in ("symbol", "form", "account")},
    }
    await lots.record_creation(connection, by, "cast", {child: first.warehouse}, {child: cast})
    records = await provenance.of_lots(connection, list(found))
    await provenance.write(connection, by, {child: provenance.inherited([records[n] for n in found])})
    return child


async def _check_parents(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    numbers = [row.lot_id for row in rows]
    for row in rows:
        allow(LOT, "consume", row.lot_id, row.state)
    await receipts.check_none(connection, numbers)
    await locks.check_free(connection, numbers)
    why = await provenance.obstacles(connection, numbers) | await unexplained(connection, numbers)
    why |= await screening_alarms.unexplained(connection, numbers)
    for number, text in why.items():
        raise Refused("BLOCKED", f"lot {number} cannot be melted with others: {text}")


async def _cast(
    connection: AsyncConnection, rows: Sequence[Row[Any]], key: BarKey, melted: MeltWeight, total_mg: int
) -> int:
    first = rows[0]
    if (other := (await pre_advice.find_other_years(connection, [key])).get(key.compared)) is not None:
        raise BadValue("serial", str(key), f"a number of its own: {other} is in the register")
    fine = sum((row.melt_cg or row.gross_cg) * (row.fineness_e5 or row.declared_fineness_e5) for row in rows)
    declared = max(fine * 10 // total_mg, 1)
    for other_lot in (await pre_advice.find_disputed(connection, [key])).values():
        allowed = f"a number of its own: lot {other_lot} of that number is under a quality claim"
        raise BadValue("serial", str(key), allowed)
    mark("refiner", key.refiner)
    mark("serial", key.serial)
    values = {
        "refiner": key.refiner,
        "serial": key.serial,
        "year": key.year,
        "symbol": first.symbol,
        "form": first.form,
        "account": first.account,
        "warehouse": first.warehouse,
        "declared_gross_cg": total_mg // 10,
        "declared_fineness_e5": declared,
        "gross_cg": total_mg // 10,
        "melt_cg": min(melted.weight.cg, total_mg // 10),
        "state": "MELTED",
    }
    try:
        added = await connection.execute(insert(lot).values(values).returning(lot.c.lot_id))
    except IntegrityError as error:
        raise BadValue("serial", str(key), "a mark that no lot of the register has") from error
    return int(added.scalar_one())


async def unexplained(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, str]:
    """Return the lots with a melt whose alarm nobody has explained, and the first alarm of each."""
    query = select(melt).where(among(melt.c.lot_id, lot_ids), melt.c.explanation.is_(None)).order_by(melt.c.melt_no)
    found = {}
    for row in await connection.execute(query):
        if row.alarms:
            found[row.lot_id] = f"melt {row.melt_no} is not explained: {row.alarms[0]}"
    return found


async def explain(connection: AsyncConnection, by: str, melt_no: int, explanation: str) -> None:
    """Record the explanation of a melt's alarms.

    Raises BadValue; Refused: SAME_PERSON for the person who melted, ILLEGAL_STEP for a melt without an open alarm.
    """
    printable("explanation", explanation, 200)
    await audit.lock(connection)
    wanted = select(melt).where(melt.c.melt_no == melt_no).with_for_update(key_share=True)
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise BadValue("melt", melt_no, "the number of a melt")
    if not row.alarms or row.explanation is not None:
        raise Refused("ILLEGAL_STEP", f"melt {melt_no} has no alarm that waits for an explanation")
    if row.by == by:
        raise Refused("SAME_PERSON", f"{by} has melted it; another person must explain melt {melt_no}")
    values = {"explanation": explanation, "explained_by": by}
    await connection.execute(update(melt).where(melt.c.melt_no == melt_no).values(values))
    await audit.record(connection, audit.Act(by, "melt.explain", f"melt:{melt_no}", {"explanation": explanation}))


async def close_fine(connection: AsyncConnection, fine_mg: Mapping[int, int]) -> None:
    """Record the fine gold that melts of certified parents have cost, now that their children are certified.

    ``fine_mg`` is by child. A cost below zero, which is a gain, raises an alarm.
    """
    query = select(melt).where(among(melt.c.lot_id, list(fine_mg)), melt.c.fine_parents_mg.is_not(None))
    for row in (await connection.execute(query)).all():
        child = fine_mg[row.lot_id]
        values: dict[str, Any] = {"fine_child_mg": child, "fine_loss_mg": row.fine_parents_mg - child}
        if child > row.fine_parents_mg:
            gained = format_weight(child - row.fine_parents_mg)
            values["alarms"] = [*row.alarms, f"{gained} g of fine gold more than the certified parents held"]
        await connection.execute(update(melt).where(melt.c.melt_no == row.melt_no).values(values))


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, alarmed: bool = False) -> Page[Row[Any]]:
    """Return melts by number; ``alarmed``: only those that wait for an explanation."""
    query = select(melt)
    if alarmed:
        query = query.where(melt.c.alarms != [], melt.c.explanation.is_(None))
    return await fetch(connection, query, (melt.c.melt_no,), page)


async def newest(connection: AsyncConnection, lot_id: int) -> Row[Any]:
    """Return a lot's last melt."""
    query = select(melt).where(melt.c.lot_id == lot_id)
    return (await connection.execute(query.order_by(melt.c.melt_no.desc()).limit(1))).one()


async def parents_of(connection: AsyncConnection, lot_id: int) -> list[Row[Any]]:
    """Return the lots that were melted into this one, with their weights."""
    query = select(melt_parent).join(melt, melt.c.melt_no == melt_parent.c.melt_no).where(melt.c.lot_id == lot_id)
    return list(await connection.execute(query.order_by(melt_parent.c.lot_id)))
