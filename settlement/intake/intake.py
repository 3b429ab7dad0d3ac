"""The steps of a lot from its arrival to the register, and back to its depositor.

Pre-advice, melts, samples and assays are modules of their own. Each function takes one step with many lots, all or
none, in the caller's transaction; ``settlement.documents.lots`` has the order of the steps.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.assays import assay, certificates
from settlement.base import proposals
from settlement.base.arithmetic import fine_weight, format_cg, format_fineness
from settlement.base.refusal import Refused
from settlement.base.steps import allow
from settlement.base.texts import mark, printable
from settlement.custody import receipts
from settlement.documents.lots import LOT, STOPPABLE
from settlement.intake import melting, screening_alarms
from settlement.lots import acceptance, locks, lots, provenance, scales
from settlement.lots.scales import GrossWeight, Weighing


async def arrive(connection: AsyncConnection, by: str, seals: Mapping[int, str]) -> None:
    """Record that lots have come, each under the seal of that number. Raises BadValue, Refused (ILLEGAL_STEP)."""
    for seal in seals.values():
        mark("seal", seal)
    details = {number: {"seal": seal} for number, seal in seals.items()}
    await lots.take(connection, by, "arrive", list(seals), details=details)


async def weigh(connection: AsyncConnection, by: str, weighed: Mapping[int, GrossWeight]) -> None:
    """Record the warehouse's weights, which count from now on.

    The difference to the declared weight is kept in the history. Where refiner and vault differ the vault's weight is
    the record (domain sheet 4.1, LBMA). Raises BadValue or Refused as ``scales.check`` does.
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
    """Record X-ray screenings, points in whole per mille (e5). They go into the history, never into the fineness."""
    await lots.find(connection, list(points_e5), lock=True)
    means = await assay.record_screenings(connection, by, points_e5, instrument)
    details = {
        number: {"xrf_permille": means[number] // 100, "points": [point // 100 for point in points], "on": instrument}
        for number, points in points_e5.items()
    }
    await lots.take(connection, by, "screen", list(points_e5), details=details)


async def certify(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> dict[int, int]:
    """Fix fineness and fine gold of lots by certificate; return the numbers of the certificates by lot.

    Raises Refused: OUTSIDE_BAND or NOT_ACCEPTED where the class does not take the result, NO_GOLD for less than 1 mg.
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
    return {number: content["certificate"] for number, content in contents.items()}


async def obstacles(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, str]:
    """Return by lot why it may not be registered yet: provenance, or an unexplained alarm."""
    found = await provenance.obstacles(connection, lot_ids) | await melting.unexplained(connection, lot_ids)
    return found | await screening_alarms.unexplained(connection, lot_ids)


async def register(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Enter certified lots into the register: from now on they may have a receipt.

    Raises Refused: BLOCKED for a lot with an obstacle, OUTSIDE_BAND or NOT_ACCEPTED where its class no longer takes it.
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
    """Cancel a lot that was advised and does not come."""
    await lots.take(connection, by, "cancel", [lot_id], details={lot_id: {"reason": printable("reason", reason, 200)}})


async def reject(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> None:
    """Reject a lot that the venue does not take. It stays in the warehouse until it is returned."""
    await lots.take(connection, by, "reject", [lot_id], details={lot_id: {"reason": printable("reason", reason, 200)}})


async def quarantine(connection: AsyncConnection, by: str, lot_id: int, reason: str, authority: str) -> str:
    """Stop a lot at once, on one person's decision, for suspected money laundering or the police.

    ``authority`` names who orders the hold, or the number of the order. A lot whose gold is, or may soon be, on an
    account, and a lot of a load-out or a transfer, keeps its state and is frozen; another person ends that with
    ``unfreeze``. Return the name of the hold, QUARANTINED or FREEZE.
    """
    row = (await lots.find(connection, [lot_id], lock=True))[lot_id]
    detail = {"reason": printable("reason", reason, 200), "authority": printable("authority", authority, 200)}
    if row.state in STOPPABLE and (row.state != "REGISTERED" or await _is_bound(connection, lot_id)):
        await locks.freeze(connection, by, [lot_id], f"{authority}: {reason}"[:200])
        return "FREEZE"
    values = {lot_id: {"held_state": row.state}}
    await lots.take(connection, by, "quarantine", [lot_id], values=values, details={lot_id: detail})
    return LOT.steps["quarantine"].after


async def _is_bound(connection: AsyncConnection, lot_id: int) -> bool:
    """Return whether a registered lot has a receipt, or is in a transfer, which has to end as for any other lot."""
    kinds = {row.kind for row in (await locks.on_lots(connection, [lot_id])).get(lot_id, ())}
    return bool(await receipts.open_of(connection, [lot_id])) or ("TRANSFER" in kinds and "FREEZE" not in kinds)


async def propose_lift(connection: AsyncConnection, by: str, lot_id: int, reason: str) -> int:
    """Propose to end a quarantine and return the proposal's number."""
    row = (await lots.find(connection, [lot_id]))[lot_id]
    allow(LOT, "lift", lot_id, row.state)
    summary = {"lot": lot_id, "back_to": row.held_state, "reason": printable("reason", reason, 200)}
    return await proposals.propose(connection, by, "lot_lift", [lot_id], summary)


async def propose_return(connection: AsyncConnection, by: str, lot_id: int, collector: str) -> int:
    """Propose to hand a rejected lot back to its depositor and return the proposal's number."""
    row = (await lots.find(connection, [lot_id]))[lot_id]
    allow(LOT, "return", lot_id, row.state)
    summary = {"lot": lot_id, "account": row.account, "collector": printable("collector", collector, 200)}
    return await proposals.propose(connection, by, "lot_return", [lot_id], summary)


class Lift:
    """The decision to end a quarantine."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """End the hold: the lots are in the state in which it began."""
        await lots.take(connection, by, "lift", subjects)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Leave the hold as it is."""


class Return:
    """The decision to hand a rejected lot back."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Hand the lots to the collector whom the proposal named."""
        agreed = await proposals.newest(connection, "lot_return", subjects)
        details = {number: {"collector": agreed.summary["collector"]} for number in subjects}
        await lots.take(connection, by, "return", subjects, details=details)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Leave the lots where they are."""
