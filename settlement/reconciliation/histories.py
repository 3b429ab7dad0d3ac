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
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, Select, Table, TextualSelect, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.client.keys import fingerprint
from settlement.base import changes, standings
from settlement.base.arithmetic import format_cg
from settlement.base.database import among
from settlement.charges import accruals
from settlement.documents.kinds import APPROVED, DECLINED, PROPOSED
from settlement.documents.ledger import CASH_TRANSFER
from settlement.documents.machine import Machine
from settlement.documents.machines import MACHINES
from settlement.documents.registered import STANDINGS
from settlement.reconciliation import pairs
from settlement.reconciliation.breaks import Break, difference_of
from settlement.reconciliation.since import Since
from settlement.tables.base import api_key, audit_log, proposal, staff
from settlement.tables.changes import watched
from settlement.tables.charges import fee_accrual
from settlement.tables.custody import encumbrance
from settlement.tables.lots import custody_event, lot, lot_lock
from settlement.tables.reconciliation import warehouse_key
from settlement.tables.schema import metadata

KIND: Final = "HISTORY"
_NOT_COMPARED: Final = frozenset(
    {
        "lot",
        "proposal",
        "assay_exchange_party",
        "break",
        "account_statement",
        "payee_account",
        "withdrawal",
        "withdrawal_limit",
        "invoice",
        "day_difference",
    }
)
TABLES: Final[Mapping[str, Table]] = {
    kind: metadata.tables[machine.table] for kind, machine in MACHINES.items() if kind not in _NOT_COMPARED
}
"""The documents whose steps are in the audit log, by machine. Lots have custody events, proposals acts of their own."""
_FORMER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"assay_exchange": ("exchange",)}
"""Words that a machine had in the audit log before, by its present one: entries of the log never change.

All entries under a former word are older than those under the present one.
"""
_DECISIONS: Final[Mapping[str, str]] = {"approved": APPROVED, "declined": DECLINED, "lapsed": DECLINED}
"""State of a proposal after each act that decides it."""
_LOCKED: Final = ("not locked", "locked")
_EVENT_LOT: Final = custody_event.c.lot_id
_ACTS: Final = select(audit_log.c.number, audit_log.c.subject, audit_log.c.action, audit_log.c.detail)
_IDENTITY: Final = ("refiner", "serial", "year", "form", "account")


class Facts:
    """Counts the compared facts and collects the breaks."""

    def __init__(self) -> None:
        self.checked = 0
        self.breaks: list[Break] = []

    def same(
        self,
        subject: str,
        recorded: object,
        kept: object,
        lot_id: int | None = None,
        *,
        cash_id: int | None = None,
        said: tuple[object, object] | None = None,
    ) -> None:
        """Compare the history's record with the table's value; ``lot_id`` and ``cash_id`` are numbers that exist.

        ``said`` are the two as people read them where they are no texts themselves. The values alone identify what
        differs (``settlement.reconciliation.breaks.difference_of``).
        """
        self.checked += 1
        if recorded != kept:
            history, table = said or (recorded, kept)
            note, differs = f"{history} by its history, {table} in the table", difference_of(recorded, kept)
            found = Break(KIND, subject, "", 1, 0, "match", note, lot_id, cash_id=cash_id, difference=differs)
            self.breaks.append(found)

    async def compare_pairs(
        self,
        connection: AsyncConnection,
        query: Select[Any] | TextualSelect,
        subject: Callable[[Row[Any]], str],
        *order: str,
        words: Mapping[int, str] | None = None,
    ) -> None:
        """Compare the pairs of a query in SQL (``settlement.reconciliation.pairs``); ``words`` stand for figures."""
        checked, differing = await pairs.differing(connection, query, *order)
        self.checked += checked - len(differing)
        for row in differing:
            said = None if words is None else (words[row.expected], words[row.found])
            self.same(subject(row), row.expected, row.found, row._mapping.get("lot_id"), said=said)


async def compare(connection: AsyncConnection, facts: Facts, since: Since | None = None) -> None:
    """Compare with its history everything, or what was written since a proof, in the caller's snapshot."""
    lots_written = None if since is None else await since.lots(connection)
    await _lots(connection, facts, lots_written)
    await _locks(connection, facts, lots_written)
    for check in (_documents, _proposals, _fees, _people, _warehouse_keys, _rows):
        await check(connection, facts, since)


async def _rows(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    facts.checked += len(watched())
    for found in await changes.all_differences(connection, None if since is None else since.changed):
        lot_id = int(found.key) if found.table == lot.name else None
        difference = difference_of(found.by_hand, found.unfit, found.present)
        subject = f"{found.table}:{found.key} row"
        facts.breaks.append(Break(KIND, subject, "", 1, 0, "match", found.note, lot_id, difference=difference))


def _of(column: Column[Any], wanted: Iterable[Any] | None) -> ColumnElement[bool]:
    """Return the condition that a column has one of these values; without any, one that always holds."""
    return true() if wanted is None else among(column, wanted)


async def _lots(connection: AsyncConnection, facts: Facts, wanted: Sequence[int] | None) -> None:
    last = select(custody_event.c.lot_id, custody_event.c.state, custody_event.c.warehouse)
    last = last.where(_of(_EVENT_LOT, wanted)).ext(distinct_on(_EVENT_LOT))
    last = last.order_by(custody_event.c.lot_id, custody_event.c.event_id.desc())
    events = {row.lot_id: row for row in await connection.execute(last)}
    marks = await _recorded(connection, wanted, "pre_advise", "cast")
    weights = await _recorded(connection, wanted, "weigh", "correct_weight")
    classes = await _recorded(connection, wanted, "receive")
    owners = await _recorded(connection, wanted, "unissue")
    columns = (lot.c.lot_id, lot.c.state, lot.c.warehouse, lot.c.symbol, lot.c.gross_cg)
    query = select(*columns, *(lot.c[name] for name in _IDENTITY)).where(_of(lot.c.lot_id, wanted))
    async for row in await connection.stream(query.order_by(lot.c.lot_id)):
        number, event = row.lot_id, events.get(row.lot_id)
        about = f"lot:{number}"
        facts.same(f"{about} state", event and event.state, row.state, number)
        facts.same(f"{about} warehouse", event and event.warehouse, row.warehouse, number)
        mark = marks.get(number, {}) | owners.get(number, {})
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


async def _recorded(connection: AsyncConnection, wanted: Sequence[int] | None, *steps: str) -> dict[int, Any]:
    """Return the detail of each lot's last of these steps; for a later class only if it changed."""
    query = select(custody_event.c.lot_id, custody_event.c.detail).where(custody_event.c.step.in_(steps))
    if steps == ("receive",):
        query = query.where(custody_event.c.detail.has_key("symbol"))
    query = query.where(_of(_EVENT_LOT, wanted)).ext(distinct_on(custody_event.c.lot_id))
    query = query.order_by(custody_event.c.lot_id, custody_event.c.event_id.desc())
    return {row.lot_id: row.detail for row in await connection.execute(query)}


async def _locks(connection: AsyncConnection, facts: Facts, wanted: Sequence[int] | None) -> None:
    """Compare the locks that lie on lots with the last event about each kind of lock."""
    kind = func.regexp_replace(custody_event.c.step, "^(un)?lock_", "")
    query = select(custody_event.c.lot_id, kind.label("kind"), custody_event.c.step.label("step"))
    query = query.where(custody_event.c.step.op("~")("^(un)?lock_"), _of(_EVENT_LOT, wanted)).ext(
        distinct_on(custody_event.c.lot_id, kind)
    )
    query = query.order_by(custody_event.c.lot_id, kind, custody_event.c.event_id.desc())
    laid = {
        (row.lot_id, str(row.kind).upper()) for row in await connection.execute(query) if not row.step.startswith("un")
    }
    live = select(lot_lock.c.lot_id, lot_lock.c.kind)
    live = live.where(lot_lock.c.lifted_at.is_(None), _of(lot_lock.c.lot_id, wanted))
    there = {(row.lot_id, row.kind) for row in await connection.execute(live)}
    for number, name in sorted(laid | there):
        recorded, kept = (int((number, name) in locks) for locks in (laid, there))
        facts.same(f"lot:{number} {name}", recorded, kept, number, said=(_LOCKED[recorded], _LOCKED[kept]))


async def _documents(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    words = {word: kind for kind in TABLES for word in (kind, *_FORMER_WORDS.get(kind, ()))}
    steps = {f"{word}.{name}" for word, kind in words.items() for name in MACHINES[kind].steps}
    kind = func.split_part(audit_log.c.action, ".", 1)
    own = func.split_part(audit_log.c.subject, ":", 1) == kind
    # The two parties of an exchange of assays commit by themselves before the exchange does.
    by_party = (kind.in_(("assay_exchange", *_FORMER_WORDS["assay_exchange"]))) & audit_log.c.detail.contains(
        '"party":'
    )
    query = select(audit_log.c.subject, audit_log.c.action).where(among(audit_log.c.action, steps), own, ~by_party)
    wanted = None if since is None else {name: _written(since, name, table) for name, table in TABLES.items()}
    if wanted is not None:
        about = (f"{word}:{number}" for word, name in words.items() for number in wanted[name])
        query = query.where(among(audit_log.c.subject, about))
    query = query.ext(distinct_on(audit_log.c.subject)).order_by(audit_log.c.subject, audit_log.c.number.desc())
    last: dict[str, str] = {}
    for row in await connection.execute(query):
        (word, _, number), step = row.subject.partition(":"), row.action.partition(".")[2]
        if word in TABLES:
            last[row.subject] = step
        else:
            last.setdefault(f"{words[word]}:{number}", step)
    for name, table in TABLES.items():
        machine = MACHINES[name]
        states = await _states(connection, name, table, None if wanted is None else wanted[name])
        recorded = {int(subject.partition(":")[2]) for subject in last if subject.partition(":")[0] == name}
        for number in sorted(states.keys() | recorded):
            step = last.get(f"{name}:{number}")
            _compare_state(facts, machine, number, step, states.get(number))


def _written(since: Since, name: str, table: Table) -> set[int]:
    """Return the documents of a machine that were written since a proof, or that an act since then was about."""
    return since.numbers(table.name) | {int(number) for number in since.subjects(name) if number.isdecimal()}


async def _states(connection: AsyncConnection, name: str, table: Table, wanted: Iterable[int] | None) -> dict[int, str]:
    (key,) = table.primary_key.columns
    query = select(key, table.c.status).where(_of(key, wanted))
    if table is encumbrance:
        query = query.where(encumbrance.c.kind == name.upper())
    return {row[0]: row[1] for row in await connection.execute(query)}


def _compare_state(facts: Facts, machine: Machine, number: int, step: str | None, state: str | None) -> None:
    subject = f"{machine.kind}:{number} state"
    cash_id = number if machine is CASH_TRANSFER and state is not None else None
    if step is not None:
        after = machine.steps[step].after
        facts.same(subject, after, state, cash_id=cash_id, said=(after, state or "deleted"))
        return
    first = [found.after for found in machine.steps.values() if not found.before]
    recorded = state if state in first else "/".join(first)
    facts.same(subject, recorded, state, cash_id=cash_id, said=(" or ".join(first), state))


async def _proposals(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    acts: dict[int, dict[str, str]] = {}
    wanted = None if since is None else _written(since, "proposal", proposal)
    query = select(audit_log.c.subject, audit_log.c.action, audit_log.c.actor)
    query = query.where(audit_log.c.subject.startswith("proposal:"))
    subjects = None if wanted is None else [f"proposal:{number}" for number in wanted]
    query = query.where(_of(audit_log.c.subject, subjects))
    for row in await connection.execute(query.order_by(audit_log.c.number)):
        number = int(row.subject.partition(":")[2])
        acts.setdefault(number, {})[row.action.rpartition(".")[2]] = row.actor
    columns = (proposal.c.proposal_id, proposal.c.status, proposal.c.proposed_by, proposal.c.decided_by)
    kept = await connection.execute(select(*columns).where(_of(proposal.c.proposal_id, wanted)))
    rows = {row.proposal_id: row for row in kept}
    for number in sorted(acts.keys() | rows.keys()):
        found, done = rows.get(number), acts.get(number, {})
        facts.same(f"proposal:{number} proposer", done.get("propose"), found and found.proposed_by)
        state, by = PROPOSED, None
        for word, after in _DECISIONS.items():
            if word in done:
                # One that has lapsed counts as declined by its proposer.
                state, by = after, done.get("propose" if word == "lapsed" else word)
        facts.same(f"proposal:{number} state", state, found and found.status)
        facts.same(f"proposal:{number} decider", by, found and found.decided_by)


async def _fees(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    query = select(audit_log.c.subject, audit_log.c.detail).where(audit_log.c.action == "fees.accrue")
    if since is not None:
        accrued = select(fee_accrual.c.day).where(among(fee_accrual.c.accrual_no, since.numbers(fee_accrual.name)))
        days = {day.isoformat() for day in await connection.scalars(accrued.distinct())} | since.subjects("day")
        query = query.where(among(audit_log.c.subject, [f"day:{day}" for day in days]))
    query = query.ext(distinct_on(audit_log.c.subject)).order_by(audit_log.c.subject, audit_log.c.number.desc())
    recorded = {
        date.fromisoformat(row.subject.partition(":")[2]): json.loads(row.detail)
        for row in await connection.execute(query)
    }
    for day, (count, ufen) in (await accruals.totals(connection, list(recorded))).items():
        logged, kept = (recorded[day]["fees"], recorded[day]["ufen"]), (count, ufen)
        facts.same(f"day:{day} fees", logged, kept, said=(_fees_said(*logged), _fees_said(*kept)))


def _fees_said(count: int, ufen: int) -> str:
    return f"{count} fees of {ufen}"


def _written_names(since: Since | None, table: Table) -> list[str] | None:
    """Return the codes of people that were written since a proof, or that an act since then was about."""
    return None if since is None else sorted(since.changed.get(table.name, frozenset()) | since.acts)


async def _in_order(connection: AsyncConnection, log: Select[Any]) -> list[Row[Any]]:
    """Return acts in their order; the database, asked for it, may read the whole log in that order instead."""
    return sorted(await connection.execute(log), key=lambda row: int(row.number))


async def _people(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    """Compare permissions with the newest act that granted some, and the state of keys with the acts about them."""
    for prefix, table, key in (("staff.", staff, staff.c.staff), ("key.", api_key, api_key.c.key_id)):
        names = _written_names(since, table)
        log = _ACTS.where(audit_log.c.action.startswith(prefix), audit_log.c.detail.contains('"permissions":'))
        acts = await _in_order(connection, log.where(_of(audit_log.c.subject, names)))
        given = {row.subject: sorted(json.loads(row.detail)["permissions"]) for row in acts}
        kept = await connection.execute(select(key, table.c.permissions).where(_of(key, names)))
        rows = {row[0]: sorted(row[1]) for row in kept}
        for name in sorted(rows.keys() | given.keys()):
            facts.same(f"{prefix.rstrip('.')} {name} permissions", given.get(name), rows.get(name))
    for kind, machine in STANDINGS.items():
        steps = {f"{kind}.{name}": step.after for name, step in machine.steps.items()}
        names = _written_names(since, standings.TABLES[kind])
        log = _ACTS.where(audit_log.c.action.in_(steps), _of(audit_log.c.subject, names))
        acts = await _in_order(connection, log)
        # An act that was written late says what it led to.
        recorded = {row.subject: (json.loads(row.detail) or {}).get("status", steps[row.action]) for row in acts}
        now = {row[0]: row.status for row in await standings.listing(connection, kind)}
        for name in sorted(
            recorded.keys() | now.keys() if names is None else recorded.keys() | now.keys() & set(names)
        ):
            facts.same(f"{kind} {name} standing", recorded.get(name), now.get(name))


async def _warehouse_keys(connection: AsyncConnection, facts: Facts, since: Since | None) -> None:
    proposes = "warehouse_key.propose"
    if since is not None and warehouse_key.name not in since.changed and proposes not in since.actions:
        return
    log = select(audit_log.c.detail).where(audit_log.c.action == proposes)
    log = log.where(audit_log.c.subject.startswith("proposal:"))
    proposed = {}
    for detail in map(json.loads, (await connection.execute(log)).scalars()):
        proposed[detail["key"]] = f"{detail['warehouse']} {detail['fingerprint']}"
    keys = warehouse_key
    for row in await connection.execute(select(keys).order_by(keys.c.key_no)):
        kept = f"{row.warehouse} {fingerprint(row.public_key)}"
        facts.same(f"warehouse_key:{row.key_no} fingerprint", proposed.get(row.key_no), kept)
