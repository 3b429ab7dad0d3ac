"""The present state compared with its history: a state without a recorded act is a break (kind HISTORY).

====================  =========================================================================================
compared              with
====================  =========================================================================================
state and place of    the last custody event of the lot; its mark, class, form, owner and gross weight with the
a lot                 events that recorded them
locks on a lot        the custody events that laid and lifted them
state of a document   the last step of the document in the audit log, or a first state if there is none
proposer, decider     the acts on the proposal in the audit log
accrued fees          the number and the sum that the audit log has for each day
staff and keys        the permissions that the audit log last gave
members, staff, keys  the last act on their standing in the audit log
keys of warehouses    the fingerprint and the warehouse that were proposed
rows of all tables    the record of their changes (``settlement.base.changes``): a change belongs to an act
====================  =========================================================================================

Custody events and audit log cannot be changed (by triggers; the log is chained, too), so a change of a table by hand
differs from them. Movements are compared document by document in ``settlement.reconciliation.documents``.
"""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import fingerprint
from settlement.base import changes, standings
from settlement.base.arithmetic import format_cg
from settlement.base.database import among
from settlement.charges import accruals
from settlement.documents.machine import Machine
from settlement.documents.machines import MACHINES
from settlement.documents.registered import STANDINGS
from settlement.reconciliation.breaks import Break
from settlement.tables import (
    assays,
    banking,
    charges,
    counts,
    custody,
    ledger,
    load_outs,
    lots,
    reconciliation,
    recycling,
)
from settlement.tables.base import api_key, audit_log, proposal, staff
from settlement.tables.changes import watched
from settlement.tables.custody import encumbrance
from settlement.tables.lots import custody_event, lot, lot_lock

KIND: Final = "HISTORY"
TABLES: Final[Mapping[str, Table]] = {
    "cash": ledger.cash_transfer,
    "correction": ledger.correction,
    "fee_payout": ledger.fee_payout,
    "receipt": custody.receipt,
    "pledge": custody.encumbrance,
    "legal_hold": custody.encumbrance,
    "transfer": custody.transfer,
    "load_out": load_outs.load_out,
    "claim": load_outs.claim,
    "tariff": charges.tariff,
    "fee": charges.fee_bill,
    "counter_ticket": recycling.counter_ticket,
    "aml_report": recycling.aml_report,
    "provenance": lots.provenance,
    "exchange": assays.assay_exchange,
    "acceptance": lots.acceptance,
    "warehouse_key": reconciliation.warehouse_key,
    "inventory_count": counts.inventory_count,
    "bank_tie": banking.bank_tie,
    "bank_void": banking.bank_void,
    "virtual_account_end": banking.virtual_account_end,
}
"""The documents whose steps are in the audit log, by machine. Lots have custody events, proposals acts of their own."""
_ENCUMBRANCES: Final[Mapping[str, str]] = {"pledge": "PLEDGE", "legal_hold": "LEGAL_HOLD"}
_DECISIONS: Final[Mapping[str, str]] = {"approved": "APPROVED", "declined": "DECLINED", "lapsed": "DECLINED"}
"""State of a proposal after each act that decides it."""
_IDENTITY: Final = ("refiner", "serial", "year", "form", "account")


class Facts:
    """Counts the compared facts and collects the breaks."""

    def __init__(self) -> None:
        self.checked = 0
        self.breaks: list[Break] = []

    def same(self, subject: str, recorded: object, kept: object, lot_id: int | None = None) -> None:
        """Compare the history's record with the table's value."""
        self.checked += 1
        if recorded != kept:
            note = f"{recorded} by its history, {kept} in the table"
            self.breaks.append(Break(KIND, subject, "", 1, 0, "match", note, lot_id))


async def compare(connection: AsyncConnection, facts: Facts) -> None:
    """Compare everything with its history, in the caller's snapshot."""
    for check in (_lots, _locks, _documents, _proposals, _fees, _people, _warehouse_keys, _rows):
        await check(connection, facts)


async def _rows(connection: AsyncConnection, facts: Facts) -> None:
    facts.checked += len(watched())
    for found in await changes.all_differences(connection):
        lot_id = int(found.key) if found.table == lot.name else None
        facts.breaks.append(Break(KIND, f"{found.table}:{found.key} row", "", 1, 0, "match", found.note, lot_id))


async def _lots(connection: AsyncConnection, facts: Facts) -> None:
    last = select(custody_event.c.lot_id, custody_event.c.state, custody_event.c.warehouse)
    last = last.ext(distinct_on(custody_event.c.lot_id))
    last = last.order_by(custody_event.c.lot_id, custody_event.c.event_id.desc())
    events = {row.lot_id: row for row in await connection.execute(last)}
    marks = await _recorded(connection, "pre_advise", "cast")
    weights = await _recorded(connection, "weigh", "correct_weight")
    classes = await _recorded(connection, "receive")
    columns = (lot.c.lot_id, lot.c.state, lot.c.warehouse, lot.c.symbol, lot.c.gross_cg)
    query = select(*columns, *(lot.c[name] for name in _IDENTITY)).order_by(lot.c.lot_id)
    async for row in await connection.stream(query):
        number, event = row.lot_id, events.get(row.lot_id)
        about = f"lot:{number}"
        facts.same(f"{about} state", event and event.state, row.state, number)
        facts.same(f"{about} warehouse", event and event.warehouse, row.warehouse, number)
        mark = marks.get(number, {})
        for name in _IDENTITY:
            if name in mark:
                facts.same(f"{about} {name}", mark[name], getattr(row, name), number)
        if "symbol" in mark:
            symbol = classes.get(number, {}).get("symbol", mark["symbol"])
            facts.same(f"{about} class", symbol, row.symbol, number)
        if number in weights:
            facts.same(f"{about} weight", weights[number]["gross_g"], _grams(row.gross_cg), number)


def _grams(cg: int | None) -> str | None:
    return None if cg is None else format_cg(cg)


async def _recorded(connection: AsyncConnection, *steps: str) -> dict[int, Any]:
    """Return the detail of each lot's last of these steps; for a later class only if it changed."""
    wanted = select(custody_event.c.lot_id, custody_event.c.detail).where(custody_event.c.step.in_(steps))
    if steps == ("receive",):
        wanted = wanted.where(custody_event.c.detail.has_key("symbol"))
    wanted = wanted.ext(distinct_on(custody_event.c.lot_id))
    wanted = wanted.order_by(custody_event.c.lot_id, custody_event.c.event_id.desc())
    return {row.lot_id: row.detail for row in await connection.execute(wanted)}


async def _locks(connection: AsyncConnection, facts: Facts) -> None:
    """Compare the locks that lie on lots with the last event about each kind of lock."""
    kind = func.regexp_replace(custody_event.c.step, "^(un)?lock_", "")
    query = select(custody_event.c.lot_id, kind.label("kind"), custody_event.c.step.label("step"))
    query = query.where(custody_event.c.step.op("~")("^(un)?lock_")).ext(distinct_on(custody_event.c.lot_id, kind))
    query = query.order_by(custody_event.c.lot_id, kind, custody_event.c.event_id.desc())
    laid = {
        (row.lot_id, str(row.kind).upper()) for row in await connection.execute(query) if not row.step.startswith("un")
    }
    live = select(lot_lock.c.lot_id, lot_lock.c.kind).where(lot_lock.c.lifted_at.is_(None))
    there = {(row.lot_id, row.kind) for row in await connection.execute(live)}
    for number, name in sorted(laid | there):
        words = {True: "locked", False: "not locked"}
        facts.same(f"lot:{number} {name}", words[(number, name) in laid], words[(number, name) in there], number)


async def _documents(connection: AsyncConnection, facts: Facts) -> None:
    steps = {f"{kind}.{name}" for kind in TABLES for name in MACHINES[kind].steps}
    kind = func.split_part(audit_log.c.action, ".", 1)
    own = func.split_part(audit_log.c.subject, ":", 1) == kind
    # The two parties of an exchange of assays commit by themselves before the exchange does.
    by_party = (kind == "exchange") & audit_log.c.detail.contains('"party":')
    query = select(audit_log.c.subject, audit_log.c.action).where(among(audit_log.c.action, steps), own, ~by_party)
    query = query.ext(distinct_on(audit_log.c.subject)).order_by(audit_log.c.subject, audit_log.c.number.desc())
    last = {row.subject: row.action.partition(".")[2] for row in await connection.execute(query)}
    for name, table in TABLES.items():
        machine = MACHINES[name]
        states = await _states(connection, name, table)
        recorded = {int(subject.partition(":")[2]) for subject in last if subject.partition(":")[0] == name}
        for number in sorted(states.keys() | recorded):
            step = last.get(f"{name}:{number}")
            _compare_state(facts, machine, number, step, states.get(number))


async def _states(connection: AsyncConnection, name: str, table: Table) -> dict[int, str]:
    (key,) = table.primary_key.columns
    query = select(key, table.c.status)
    if name in _ENCUMBRANCES:
        query = query.where(encumbrance.c.kind == _ENCUMBRANCES[name])
    return {row[0]: row[1] for row in await connection.execute(query)}


def _compare_state(facts: Facts, machine: Machine, number: int, step: str | None, state: str | None) -> None:
    subject = f"{machine.kind}:{number} state"
    if step is not None:
        facts.same(subject, machine.steps[step].after, state or "deleted")
        return
    first = [found.after for found in machine.steps.values() if not found.before]
    facts.same(subject, state if state in first else " or ".join(first), state)


async def _proposals(connection: AsyncConnection, facts: Facts) -> None:
    acts: dict[int, dict[str, str]] = {}
    query = select(audit_log.c.subject, audit_log.c.action, audit_log.c.actor)
    query = query.where(audit_log.c.subject.startswith("proposal:")).order_by(audit_log.c.number)
    for row in await connection.execute(query):
        number = int(row.subject.partition(":")[2])
        acts.setdefault(number, {})[row.action.rpartition(".")[2]] = row.actor
    columns = (proposal.c.proposal_id, proposal.c.status, proposal.c.proposed_by, proposal.c.decided_by)
    rows = {row.proposal_id: row for row in await connection.execute(select(*columns))}
    for number in sorted(acts.keys() | rows.keys()):
        found, done = rows.get(number), acts.get(number, {})
        facts.same(f"proposal:{number} proposer", done.get("propose"), found and found.proposed_by)
        state, by = "PROPOSED", None
        for word, after in _DECISIONS.items():
            if word in done:
                # One that has lapsed counts as declined by its proposer.
                state, by = after, done.get("propose" if word == "lapsed" else word)
        facts.same(f"proposal:{number} state", state, found and found.status)
        facts.same(f"proposal:{number} decider", by, found and found.decided_by)


async def _fees(connection: AsyncConnection, facts: Facts) -> None:
    query = select(audit_log.c.subject, audit_log.c.detail).where(audit_log.c.action == "fees.accrue")
    query = query.ext(distinct_on(audit_log.c.subject)).order_by(audit_log.c.subject, audit_log.c.number.desc())
    recorded = {
        date.fromisoformat(row.subject.partition(":")[2]): json.loads(row.detail)
        for row in await connection.execute(query)
    }
    for day, (count, ufen) in (await accruals.totals(connection, list(recorded))).items():
        facts.same(
            f"day:{day} fees", f"{recorded[day]['fees']} fees of {recorded[day]['ufen']}", f"{count} fees of {ufen}"
        )


async def _people(connection: AsyncConnection, facts: Facts) -> None:
    """Compare permissions with the newest act that granted some, and the state of keys with the acts about them."""
    for prefix, table, key in (("staff.", staff, staff.c.staff), ("key.", api_key, api_key.c.key_id)):
        log = select(audit_log.c.subject, audit_log.c.detail).where(audit_log.c.action.startswith(prefix))
        log = log.where(audit_log.c.detail.contains('"permissions":')).order_by(audit_log.c.number)
        given = {row.subject: sorted(json.loads(row.detail)["permissions"]) for row in await connection.execute(log)}
        rows = {row[0]: sorted(row[1]) for row in await connection.execute(select(key, table.c.permissions))}
        for name in sorted(rows.keys() | given.keys()):
            facts.same(f"{prefix.rstrip('.')} {name} permissions", given.get(name), rows.get(name))
    for kind, machine in STANDINGS.items():
        steps = {f"{kind}.{name}": step.after for name, step in machine.steps.items()}
        log = select(audit_log.c.subject, audit_log.c.action, audit_log.c.detail).order_by(audit_log.c.number)
        acts = await connection.execute(log.where(audit_log.c.action.in_(steps)))
        # An act that was written late says what it led to.
        recorded = {row.subject: (json.loads(row.detail) or {}).get("status", steps[row.action]) for row in acts}
        kept = {row[0]: row.status for row in await standings.listing(connection, kind)}
        for name in sorted(recorded.keys() | kept.keys()):
            facts.same(f"{kind} {name} standing", recorded.get(name), kept.get(name))


async def _warehouse_keys(connection: AsyncConnection, facts: Facts) -> None:
    log = select(audit_log.c.detail).where(audit_log.c.action == "warehouse_key.propose")
    log = log.where(audit_log.c.subject.startswith("proposal:"))
    proposed = {}
    for detail in map(json.loads, (await connection.execute(log)).scalars()):
        proposed[detail["key"]] = f"{detail['warehouse']} {detail['fingerprint']}"
    keys = reconciliation.warehouse_key
    for row in await connection.execute(select(keys).order_by(keys.c.key_no)):
        kept = f"{row.warehouse} {fingerprint(row.public_key)}"
        facts.same(f"warehouse_key:{row.key_no} fingerprint", proposed.get(row.key_no), kept)
