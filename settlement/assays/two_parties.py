"""The exchange of assays between two parties: commit first, reveal after, never edit (domain sheet 3.5).

Each party's laboratory commits to its replicates by SHA-256 of ``lot|value|nonce``: the lot's number, the replicates in
per mille with three decimals and commas between them, and a nonce of 32 to 64 hexadecimal digits that nobody else knows
yet. When both have committed, each reveals value and nonce, which must fit (the database checks it too). Within the
splitting limit of the form the mean counts; beyond it an umpire's laboratory decides (``settlement.lots.splitting``).
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import assay, laboratories
from settlement.assays.assay import Result
from settlement.base import audit
from settlement.base.arithmetic import format_fineness
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance, allow, authorize
from settlement.base.texts import printable
from settlement.documents.assays import ASSAY_EXCHANGE, ASSAY_PARTY
from settlement.documents.lots import LOT
from settlement.lots import acceptance, lots, sampling
from settlement.lots.splitting import SPLIT_LIMIT_E5, SplitDecision, agree, umpire, within
from settlement.tables.assays import assay as assays
from settlement.tables.assays import assay_exchange, assay_exchange_party
from settlement.tables.lots import PARTIES

NONCE = re.compile(r"[0-9a-f]{32,64}")


def opening(lot_id: int, replicates_ppm: Sequence[int], nonce: str) -> str:
    """Return ``lot|value|nonce``, such as ``17|884.210,884.190|9f...``. Raises BadValue for a malformed nonce."""
    if NONCE.fullmatch(nonce) is None:
        raise BadValue("nonce", nonce, "32 to 64 hexadecimal digits in lower case")
    value = ",".join(f"{ppm // 1_000}.{ppm % 1_000:03d}" for ppm in replicates_ppm)
    return f"{lot_id}|{value}|{nonce}"


def commitment(lot_id: int, replicates_ppm: Sequence[int], nonce: str) -> bytes:
    """Return a laboratory's commitment: the SHA-256 of its opening."""
    return sha256(opening(lot_id, replicates_ppm, nonce).encode()).digest()


def new_nonce() -> str:
    """Return a nonce that nobody can guess."""
    return secrets.token_hex(16)


class AssayExchange(NamedTuple):
    """An exchange of assays with its parties."""

    row: Row[Any]
    parties: Mapping[str, Row[Any]]


async def find(connection: AsyncConnection, number: int, *, lock: bool = False) -> AssayExchange:
    """Return an exchange of assays by number. Raises BadValue if there is none."""
    query = select(assay_exchange).where(assay_exchange.c.assay_exchange_no == number)
    if lock:
        await audit.lock(connection)
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("assay exchange", number, "the number of an exchange of assays")
    columns = assay_exchange_party.c
    mine = select(assay_exchange_party).where(columns.assay_exchange_no == number).order_by(columns.party)
    return AssayExchange(row, {party.party: party for party in await connection.execute(mine)})


async def begin(connection: AsyncConnection, by: str, lot_id: int, a: str, b: str) -> int:
    """Open the exchange of a sampled lot between two laboratories; return its number.

    Raises BadValue for one laboratory twice, Refused where the lot is not SAMPLED (ILLEGAL_STEP), lacks a sample of a
    party or of the umpire's reserve (NO_SAMPLE), has an exchange of assays already, or a laboratory is not accredited.
    """
    await authorize(connection, ASSAY_EXCHANGE, "open", by, [])
    row = (await lots.find(connection, [lot_id], lock=True))[lot_id]
    allow(LOT, "assay", lot_id, row.state)
    if a == b:
        raise BadValue("laboratory_b", b, "another laboratory than party A's")
    await laboratories.check(connection, (a, b))
    samples = (await sampling.of_lots(connection, [lot_id]))[lot_id]
    for party in PARTIES:
        if party not in samples:
            why = f"lot {lot_id} has no sample of party {party}; an exchange of assays needs all three"
            raise Refused("NO_SAMPLE", why)
    for other in (await assay.assay_exchanges_of(connection, [lot_id])).values():
        raise Refused("ASSAY_EXCHANGE", f"lot {lot_id} has assay exchange {other} already")
    terms = (await acceptance.terms(connection))[row.symbol]
    values = {
        "lot_id": lot_id,
        "status": ASSAY_EXCHANGE.steps["open"].after,
        "split_limit_e5": SPLIT_LIMIT_E5[row.form],
        "opened_at": now_ms(),
        "fineness_rule": terms.fineness_rule,
        "umpire_rule": terms.umpire_rule,
    }
    added = insert(assay_exchange).values(values).returning(assay_exchange.c.assay_exchange_no)
    number = int((await connection.execute(added)).scalar_one())
    parties = [
        {
            "assay_exchange_no": number,
            "party": party,
            "laboratory": code,
            "status": ASSAY_PARTY.steps["invite"].after,
            "sample_no": samples[party].sample_no,
        }
        for party, code in (("A", a), ("B", b))
    ]
    await connection.execute(insert(assay_exchange_party), parties)
    detail = {"lot": lot_id, "A": a, "B": b, "split_limit_permille": format_fineness(SPLIT_LIMIT_E5[row.form])}
    await audit.record(connection, audit.Act(by, "assay_exchange.open", f"assay_exchange:{number}", detail))
    return number


async def commit(connection: AsyncConnection, by: str, number: int, party: str, hashed: bytes) -> str:
    """Record a party's commitment; return the exchange's state after it. Raises BadValue, Refused (ILLEGAL_STEP)."""
    if len(hashed) != 32:
        raise BadValue("commitment", hashed.hex(), "a SHA-256, 64 hexadecimal digits")
    found = await find(connection, number, lock=True)
    allow(ASSAY_EXCHANGE, "commit", number, found.row.status)
    mine = _party(found, party)
    if any(other.commitment == hashed for other in found.parties.values()):
        raise BadValue("commitment", hashed.hex(), "not the other party's commitment")
    values = {"commitment": hashed, "committed_at": now_ms()}
    await _move(connection, by, "commit", mine, values, {"commitment": hashed.hex()})
    if any(other.status == "INVITED" for name, other in found.parties.items() if name != party):
        return "OPEN"
    await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "commit", [number])
    return "COMMITTED"


async def reveal(
    connection: AsyncConnection,
    by: str,
    number: int,
    party: str,
    replicates_ppm: Sequence[int],
    nonce: str,
    seal: str,
    standard: str | None = None,
) -> str:
    """Record the replicates that a party had committed to; return the exchange's state after it.

    ``seal`` is that of the sample which its laboratory has assayed. Raises BadValue; Refused if a party has not
    committed or this one has revealed already (ILLEGAL_STEP), the replicates differ from the commitment (WRONG_REVEAL),
    the sample was another one (WRONG_SEAL), or the results may not be averaged.
    """
    found = await find(connection, number, lock=True)
    if found.row.status != "COMMITTED":
        text = f"assay exchange {number} is {found.row.status}; results are revealed when both parties have committed"
        raise Refused("ILLEGAL_STEP", text)
    mine = _party(found, party)
    allow(ASSAY_PARTY, "reveal", number, mine.status)
    lot_id = found.row.lot_id
    text = opening(lot_id, replicates_ppm, nonce)
    if sha256(text.encode()).digest() != mine.commitment:
        raise Refused("WRONG_REVEAL", f"that is not what party {party} of assay exchange {number} has committed to")
    result = Result(mine.laboratory, tuple(replicates_ppm), seal, standard)
    rules = {lot_id: found.row.fineness_rule}
    (recorded,) = (await assay.record(connection, by, {lot_id: result}, rules, party)).values()
    values = {"opening": text, "assay_id": recorded[0]}
    await _move(connection, by, "reveal", mine, values, {"reported_permille": format_fineness(recorded[1])})
    other = next(row for name, row in found.parties.items() if name != party)
    if other.status != "REVEALED":
        return "COMMITTED"
    theirs = await connection.scalar(select(assays.c.reported_e5).where(assays.c.assay_id == other.assay_id))
    reported = {party: recorded[1], other.party: int(theirs or 0)}
    if not within(reported["A"], reported["B"], found.row.split_limit_e5):
        await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "split", [number])
        return "SPLIT"
    await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "agree", [number])
    ids = sorted((recorded[0], other.assay_id))
    await _finish(connection, by, found.row, ids, agree(reported["A"], reported["B"]))
    return "AGREED"


async def report(connection: AsyncConnection, by: str, number: int, result: Result) -> SplitDecision:
    """Record the umpire's result and return the decision.

    Raises BadValue for a laboratory of one of the parties, Refused where the results do not differ beyond the limit.
    """
    found = await find(connection, number, lock=True)
    allow(ASSAY_EXCHANGE, "umpire", number, found.row.status)
    if result.laboratory in [row.laboratory for row in found.parties.values()]:
        raise BadValue("laboratory", result.laboratory, "a laboratory of neither party")
    lot_id = found.row.lot_id
    rules = {lot_id: found.row.fineness_rule}
    (recorded,) = (await assay.record(connection, by, {lot_id: result}, rules, "UMPIRE")).values()
    samples = (await sampling.of_lots(connection, [lot_id]))[lot_id]
    row = {
        "assay_exchange_no": number,
        "party": "UMPIRE",
        "laboratory": result.laboratory,
        "status": ASSAY_PARTY.steps["report"].after,
        "sample_no": samples["UMPIRE"].sample_no,
        "assay_id": recorded[0],
    }
    await connection.execute(insert(assay_exchange_party).values(row))
    ids = [found.parties[party].assay_id for party in ("A", "B")]
    rows = await connection.execute(
        select(assays.c.assay_id, assays.c.reported_e5).where(among(assays.c.assay_id, ids))
    )
    reported = {row.assay_id: row.reported_e5 for row in rows}
    decision = umpire(reported[ids[0]], reported[ids[1]], recorded[1], found.row.umpire_rule)
    await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "umpire", [number])
    await _finish(connection, by, found.row, [*ids, recorded[0]], decision)
    return decision


async def _finish(
    connection: AsyncConnection, by: str, row: Row[Any], ids: Sequence[int], decision: SplitDecision
) -> None:
    await assay.record_findings(connection, by, {row.lot_id: (ids, decision, row.split_limit_e5)})
    detail = {
        "assay_exchange": row.assay_exchange_no,
        "final_permille": format_fineness(decision.final_e5),
        "rule": decision.rule,
        "umpire_paid_by": decision.umpire_paid_by,
    }
    await lots.take(connection, by, "assay", [row.lot_id], details={row.lot_id: detail})


async def void(connection: AsyncConnection, by: str, number: int, reason: str) -> None:
    """End an exchange of assays without a finding: a party does not answer, or cannot repeat its result."""
    printable("reason", reason, 200)
    await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "void", [number], {"reason": reason})


async def end_by_remelt(connection: AsyncConnection, by: str, lot_ids: Sequence[int]) -> None:
    """Void the exchanges about lots that are melted again."""
    numbers = sorted((await assay.assay_exchanges_of(connection, lot_ids)).values())
    if numbers:
        await advance(connection, assay_exchange, ASSAY_EXCHANGE, by, "remelt", numbers, {"reason": "melted again"})


def _party(found: AssayExchange, party: str) -> Row[Any]:
    if party not in ("A", "B"):
        raise BadValue("party", party, "A or B")
    return found.parties[party]


async def _move(
    connection: AsyncConnection, by: str, step: str, row: Row[Any], values: Mapping[str, Any], detail: Mapping[str, Any]
) -> None:
    after = allow(ASSAY_PARTY, step, row.assay_exchange_no, row.status).after
    await authorize(connection, ASSAY_PARTY, step, by, [])
    columns = assay_exchange_party.c
    mine = (columns.assay_exchange_no == row.assay_exchange_no, columns.party == row.party)
    await connection.execute(update(assay_exchange_party).where(*mine).values(status=after, **values))
    subject = f"assay_exchange:{row.assay_exchange_no}"
    await audit.record(connection, audit.Act(by, f"assay_exchange.{step}", subject, {"party": row.party, **detail}))


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None) -> Page[Row[Any]]:
    """Return exchanges of assays by number; of one ``status`` if it is given."""
    query = select(assay_exchange)
    if status is not None:
        query = query.where(assay_exchange.c.status == status)
    return await fetch(connection, query, (assay_exchange.c.assay_exchange_no,), page)
