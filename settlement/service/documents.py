"""Documents of every kind, listed and shown: state, reason, proposals, and the engine's answers.

A document is approved here and answered by the engine later, so its clerk must be able to see the outcome. The approver
of a proposal must see the lots and accounts concerned.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, Column, LargeBinary, Row, Select, Table, any_, bindparam, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import BadValue, format_amount, format_money, format_price
from settlement.base import proposals
from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.proposals import Proposal
from settlement.base.units import in_units
from settlement.charges import tariff as figures
from settlement.documents.kinds import APPROVED, DOCUMENTS, MOVEMENTS, PROPOSED
from settlement.documents.ledger import OUTBOX_OPEN
from settlement.documents.lots import LOT
from settlement.documents.machines import MACHINES
from settlement.reconciliation import breaks
from settlement.tables.banking import bank_tie, virtual_account, virtual_account_end
from settlement.tables.base import proposal
from settlement.tables.custody import encumbrance, transfer_lot
from settlement.tables.ledger import cash_transfer, outbox
from settlement.tables.load_outs import load_out_lot
from settlement.tables.lots import lot
from settlement.tables.schema import metadata
from settlement.tables.withdrawals import withdrawal_limit

PAUSE: Final = 0.2
"""Seconds between two checks of a proposal whose outcome is waited for."""

_ELSEWHERE: Final = frozenset(
    {
        "lot",
        "proposal",
        "assay_exchange_party",
        "account_statement",
        "withdrawal",
        "withdrawal_limit",
        "payee_account",
    }
)
"""The kinds of document that have commands of their own."""
TABLES: Final[Mapping[str, Table]] = {
    kind: metadata.tables[machine.table] for kind, machine in MACHINES.items() if kind not in _ELSEWHERE
}
"""The table of each kind of document that is listed and shown here."""


def _table(kind: str) -> Table:
    if kind not in TABLES:
        raise BadValue("kind", kind, "one of " + ", ".join(TABLES))
    return TABLES[kind]


def _number(table: Table) -> Column[int]:
    (key,) = table.primary_key.columns
    return key


def _query(kind: str) -> Select[Any]:
    table = _table(kind)
    shown = [column for column in table.c if not isinstance(column.type, LargeBinary)]
    query = select(*shown)
    return query.where(table.c.kind == kind.upper()) if table is encumbrance else query


def written(kind: str, row: Row[Any]) -> dict[str, Any]:
    """Return the contents of a document, each quantity as a decimal string in the unit that its name ends with."""
    found: dict[str, Any] = {}
    for name, value in row._mapping.items():
        if isinstance(value, date):
            found[name] = value.isoformat()
        elif (kind, name) == ("cash", "amount"):
            found[name] = format_money(value)
        elif (kind, name) == ("tariff", "value"):
            found[name], found["unit"] = figures.shown(row.name, value)
        elif (kind, name) == ("load_out", "price"):
            found[name] = format_price(value)
        elif kind == "day_difference" and name in ("engine", "ledger"):
            found[name] = format_amount(value, row.asset)
        elif kind == "break" and name in ("expected", "found"):
            found[name] = breaks.shown(row.unit, row.asset, value)
        else:
            found[name] = value
    return in_units(found)


class ListedDocument(NamedTuple):
    """A document in a listing: number, state and contents."""

    number: int
    status: str
    says: Mapping[str, Any]


async def listing(
    connection: AsyncConnection, kind: str, page: PageRequest = ALL, *, status: str | None = None
) -> Page[ListedDocument]:
    """Return the documents of a kind by number, or only those of one ``status``. Raises BadValue."""
    table, query = _table(kind), _query(kind)
    if status is not None:
        if status not in MACHINES[kind].states:
            raise BadValue("status", status, "one of " + ", ".join(MACHINES[kind].states))
        query = query.where(table.c.status == status)
    rows = await fetch(connection, query, (_number(table),), page)
    return Page((ListedDocument(row[0], row.status, written(kind, row)) for row in rows), rows.next)


class EngineAnswer(NamedTuple):
    """The engine's answer about a document: state of its item in the outbox, and the reason of a refusal."""

    reference: str
    status: str
    reason: str | None
    sequence: int | None


class Document(NamedTuple):
    """A document with its lots, the proposals about it, and the engine's answers."""

    kind: str
    number: int
    status: str
    says: Mapping[str, Any]
    lots: Sequence[int]
    proposals: Sequence[Mapping[str, Any]]
    answers: Sequence[EngineAnswer]


async def show(connection: AsyncConnection, kind: str, number: int) -> Document:
    """Return a document with its proposals and answers. Raises BadValue for an unknown kind or number."""
    row = (await connection.execute(_query(kind).where(_number(_table(kind)) == number))).first()
    if row is None:
        raise BadValue(kind, number, f"the number of a {kind.replace('_', ' ')}")
    kinds = [kind, *(name for name, of in DOCUMENTS.items() if of == kind != name)]
    about = proposal.c.subjects.op("@>")(literal([number], proposal.c.subjects.type))
    query = select(proposal).where(proposal.c.kind.in_(kinds), about).order_by(proposal.c.proposal_id)
    shown = ("proposal_id", "kind", "status", "proposed_by", "proposed_at", "decided_by", "decided_at")
    found = [{name: getattr(row, name) for name in shown} for row in await connection.execute(query)]
    lots = (await _lots_and_accounts(connection, kind, [number]))[0]
    return Document(
        kind, number, row.status, written(kind, row), lots, found, await _answers(connection, kinds, [number])
    )


async def _answers(connection: AsyncConnection, kinds: Iterable[str], subjects: Sequence[int]) -> list[EngineAnswer]:
    query = select(outbox).where(outbox.c.kind.in_(tuple(kinds)), among(outbox.c.subject, subjects))
    rows = await connection.execute(query.order_by(outbox.c.number))
    return [EngineAnswer(row.reference, row.status, row.reason, row.sequence) for row in rows]


class Shown(NamedTuple):
    """A proposal as its approver sees it, with the lots and accounts concerned.

    ``answers`` are the engine's, for those of its documents that were sent there. The summary is that of the time of
    the proposal.
    """

    proposal_id: int
    kind: str
    subjects: Sequence[int]
    summary: Mapping[str, Any]
    status: str
    proposed_by: str
    decided_by: str | None
    lots: Sequence[int]
    accounts: Sequence[str]
    answers: Sequence[EngineAnswer]

    @property
    def finished(self) -> bool:
        """Return whether the outcome is final: it is decided, and the engine has answered everything sent there."""
        return self.status != PROPOSED and all(answer.status not in OUTBOX_OPEN for answer in self.answers)


async def proposals_with_lots(
    connection: AsyncConnection, page: PageRequest = ALL, *, status: str = PROPOSED
) -> Page[Shown]:
    """Return the proposals of a status, oldest first, with their lots and accounts. Raises BadValue."""
    rows = await proposals.listing(connection, page, status=status)
    return Page([await _shown(connection, row) for row in rows], rows.next)


async def show_proposal(connection: AsyncConnection, number: int) -> Shown:
    """Return a proposal in any state. Raises BadValue for an unknown number."""
    return await _shown(connection, await proposals.find(connection, number))


async def _shown(connection: AsyncConnection, row: Proposal) -> Shown:
    lots, accounts = await _lots_and_accounts(connection, row.kind, row.subjects)
    answers = []
    if row.status == APPROVED and row.kind in MOVEMENTS:
        answers = await _answers(connection, [row.kind], row.subjects)
    about = (row.proposal_id, row.kind, list(row.subjects), row.summary, row.status, row.proposed_by, row.decided_by)
    return Shown(*about, lots, accounts, answers)


async def _lots_and_accounts(
    connection: AsyncConnection, kind: str, subjects: Sequence[int]
) -> tuple[list[int], list[str]]:
    """Return the lots and the trading accounts of documents, each sorted."""
    name = DOCUMENTS.get(kind, kind)
    numbers: list[int] = list(subjects) if name == LOT.kind else []
    accounts: set[str] = set()
    if (table := TABLES.get(name)) is not None:
        of = among(_number(table), subjects)
        if (inside := _INSIDE.get(name)) is not None:
            wanted = select(inside.c.lot_id).where(among(inside.c[_number(table).name], subjects))
            numbers += (await connection.execute(wanted)).scalars()
        if "lots" in table.c:
            for several in (await connection.execute(select(table.c.lots).where(of))).scalars():
                numbers += several
        if "lot_id" in table.c:
            known = select(table.c.lot_id).where(of, table.c.lot_id.is_not(None))
            numbers += (await connection.execute(known)).scalars()
        for column in (table.c[name] for name in ("account", "from_account", "to_account") if name in table.c):
            accounts |= set((await connection.execute(select(column).where(of, column.is_not(None)))).scalars())
    if (query := _ACCOUNTS.get(kind)) is not None:
        accounts |= set((await connection.execute(query, {"subjects": list(subjects)})).scalars())
    if numbers and not accounts:
        owners = select(lot.c.account).where(among(lot.c.lot_id, numbers))
        accounts |= set((await connection.execute(owners)).scalars())
    return sorted(set(numbers)), sorted(accounts)


_SUBJECTS: Final = any_(bindparam("subjects", type_=ARRAY(BigInteger)))
_ACCOUNTS: Final[Mapping[str, Select[Any]]] = {
    "bank_tie": select(cash_transfer.c.account)
    .join(bank_tie, cash_transfer.c.cash_id == any_(bank_tie.c.money))
    .where(bank_tie.c.tie_no == _SUBJECTS),
    "virtual_account_end": select(virtual_account.c.account)
    .join(virtual_account_end, virtual_account_end.c.number == virtual_account.c.number)
    .where(virtual_account_end.c.end_no == _SUBJECTS),
    "withdrawal_limit": select(withdrawal_limit.c.account).where(
        withdrawal_limit.c.limit_no == _SUBJECTS, withdrawal_limit.c.account.is_not(None)
    ),
}
"""Queries for the trading accounts of documents that do not name them in a column of their own listing."""
_INSIDE: Final[Mapping[str, Table]] = {"load_out": load_out_lot, "transfer": transfer_lot}
"""Tables of the lots of a document."""


async def wait_for(engine: AsyncEngine, number: int, seconds: float) -> Shown:
    """Return a proposal once its outcome is final, or in its state after ``seconds``."""
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while True:
        async with engine.connect() as connection:
            found = await show_proposal(connection, number)
        if found.finished or clock() >= until:
            return found
        await asyncio.sleep(PAUSE)


def ranges(numbers: Sequence[int]) -> str:
    """Return sorted numbers as ``1-400, 403``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
