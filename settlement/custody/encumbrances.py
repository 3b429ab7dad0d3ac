"""Encumbrances: gold that its owner keeps but may not use, pledged to somebody or held by order of an authority.

Gold is bound in two ways, which end together. Its grams are moved, by one ``holding.settle``, from the owner's trading
account into a sub-account that nobody can trade (``settlement.base.sub_accounts``). The lots that the document names
are locked (``settlement.lots.locks``). ``settlement.documents.custody`` has the steps of both kinds: of a pledge both
sides declare and are paired before the approval (domain sheet 2.9); a legal hold has one side.

Gold of a class is fungible while a receipt names a depositor. So grams are bound, whoever owns them; lots may be named
besides, and a pledge may name only lots under the pledgor's own receipts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_weight
from settlement.base import sub_accounts
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE, advance, load
from settlement.base.sub_accounts import Legs
from settlement.documents import custody
from settlement.documents.machine import Machine
from settlement.ledger import outbox
from settlement.lots import classes, locks
from settlement.tables.custody import encumbrance


class EncumbranceKind(NamedTuple):
    """Pledge or legal hold: its machine, the kind of proposal that ends it, its lock and its sub-account."""

    machine: Machine
    release_kind: str
    lock: str
    purpose: str

    @property
    def name(self) -> str:
        """Return its name in proposals and references."""
        return self.machine.kind


PLEDGE = EncumbranceKind(custody.PLEDGE, "pledge_release", "PLEDGE", sub_accounts.PLEDGE)
LEGAL_HOLD = EncumbranceKind(custody.LEGAL_HOLD, "legal_lift", "LEGAL_HOLD", sub_accounts.HOLD)


async def check(connection: AsyncConnection, kind: EncumbranceKind, account: str, symbol: str) -> str:
    """Return the account's member. Raises BadValue for an unknown account or class, or a name too long to be bound."""
    member = await sub_accounts.check_trading_account(connection, account)
    await sub_accounts.check_sub_account(connection, sub_accounts.sub_account(account, kind.purpose))
    await classes.check(connection, symbol)
    return member


async def one(connection: AsyncConnection, kind: EncumbranceKind, number: int) -> Row[Any]:
    """Return a pledge or hold by number and lock it until the transaction ends. Raises BadValue if there is none."""
    row = (await load(connection, encumbrance, kind.machine, [number]))[number]
    if row.kind != kind.lock:
        raise BadValue(kind.name, number, f"the number of a {kind.name.replace('_', ' ')}")
    return row


async def listing(
    connection: AsyncConnection, kind: EncumbranceKind, page: PageRequest = ALL, *, status: str | None = None
) -> Page[Row[Any]]:
    """Return the encumbrances of a kind, oldest first; of one ``status`` if it is given."""
    query = select(encumbrance).where(encumbrance.c.kind == kind.lock)
    if status is not None:
        query = query.where(encumbrance.c.status == status)
    return await fetch(connection, query, (encumbrance.c.encumbrance_no,), page)


def described(row: Row[Any]) -> dict[str, Any]:
    """Return the summary for the person who decides."""
    return {
        row.kind.lower(): row.encumbrance_no,
        "account": row.account,
        "symbol": row.symbol,
        "fine_g": format_weight(row.fine_mg),
        "lots": list(row.lots),
        "in_favour_of": row.in_favour_of,
        "document": row.document,
        "counter_document": row.counter_document,
    }


async def step(
    connection: AsyncConnection, kind: EncumbranceKind, by: str, name: str, numbers: Sequence[int], **values: Any
) -> list[Row[Any]]:
    """Take one step of the kind's machine; return the documents as they were before."""
    agreed = kind.release_kind if name == "approve_release" else None
    rows = await advance(connection, encumbrance, kind.machine, by, name, numbers, values, agreed)
    return [rows[number] for number in numbers]


def _legs(kind: EncumbranceKind, row: Row[Any], direction: int) -> Legs:
    amount = direction * row.fine_mg
    into = sub_accounts.sub_account(row.account, kind.purpose)
    return ((row.account, row.symbol, -amount), (into, row.symbol, amount))


def _check_third(kind: EncumbranceKind, by: str, rows: Sequence[Row[Any]]) -> None:
    """Refuse the person who entered the first side of a pledge or release; the database refuses that of the second."""
    for row in rows:
        if kind is PLEDGE and row.entered_by == by:
            text = f"pledge {row.encumbrance_no}: {by} has entered one side; to approve it takes a third person"
            raise Refused("SAME_PERSON", text)


class _Sending:
    """Queues grams for the engine; a hold of lots alone moves none."""

    def __init__(self, kind: EncumbranceKind) -> None:
        self._kind = kind

    async def _send(
        self, connection: AsyncConnection, by: str, item_kind: str, rows: list[Any], direction: int
    ) -> list[int]:
        """Queue the grams of documents; return the documents that move none."""
        moving = [row for row in rows if row.fine_mg]
        if moving:
            items = [(row.encumbrance_no, _legs(self._kind, row, direction)) for row in moving]
            await outbox.put(connection, item_kind, by, items)
        return [row.encumbrance_no for row in rows if not row.fine_mg]


class Placing(_Sending):
    """Decisions about binding gold."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Queue the grams' move to the sub-account.

        Raises Refused: SAME_PERSON for a person who entered a side, LOCKED if a lot to be pledged was frozen or held
        meanwhile.
        """
        rows = await step(connection, self._kind, by, "approve", subjects)
        _check_third(self._kind, by, rows)
        if self._kind is PLEDGE:
            await locks.check_not_held(connection, [lot_id for row in rows for lot_id in row.lots])
        if still := await self._send(connection, by, self._kind.name, rows, 1):
            await self.done(connection, SERVICE, still)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Free the lots again."""
        await self._end(connection, by, "decline", dict.fromkeys(subjects, "DECLINED"))

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Bind the gold: the engine has moved the grams."""
        await step(connection, self._kind, by, "place", subjects)

    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
        """Free the lots: the engine has refused, for example because the gold is in an order by now."""
        await self._end(connection, by, "refuse", reasons)

    async def _end(self, connection: AsyncConnection, by: str, name: str, reasons: Mapping[int, str]) -> None:
        for number, reason in reasons.items():
            await step(connection, self._kind, by, name, [number], reason=reason)
            await locks.lift(connection, by, self._kind.lock, number)


class Releasing(_Sending):
    """Decisions about freeing gold."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Queue the grams' way back. A pledge is refused (LOCKED) while an authority holds one of its lots.

        Raises Refused (SAME_PERSON) for a person who entered either side.
        """
        rows = await step(connection, self._kind, by, "approve_release", subjects)
        _check_third(self._kind, by, rows)
        if self._kind.lock != "LEGAL_HOLD":
            await locks.check_not_held(connection, [lot_id for row in rows for lot_id in row.lots], but="FREEZE")
        if still := await self._send(connection, by, self._kind.release_kind, rows, -1):
            await self.done(connection, SERVICE, still)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Keep the gold bound; both sides may begin again."""
        await self._stay(connection, by, "decline_release", dict.fromkeys(subjects, "DECLINED"))

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Free the lots: the engine has moved the grams back."""
        await step(connection, self._kind, by, "release", subjects)
        for number in subjects:
            await locks.lift(connection, by, self._kind.lock, number)

    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
        """Keep the gold bound: the engine has refused."""
        await self._stay(connection, by, "refuse_release", reasons)

    async def _stay(self, connection: AsyncConnection, by: str, name: str, reasons: Mapping[int, str]) -> None:
        cleared = {"release_document": None, "release_counter_document": None}
        for number, reason in reasons.items():
            await step(connection, self._kind, by, name, [number], reason=reason, **cleared)


PLEDGING, RELEASING_PLEDGE = Placing(PLEDGE), Releasing(PLEDGE)
HOLDING, LIFTING = Placing(LEGAL_HOLD), Releasing(LEGAL_HOLD)
