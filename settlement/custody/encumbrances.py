"""Gold that its owner keeps but may not use: pledged to somebody, or held by order of an authority.

Two things bind it. The grams go, by one ``holding.settle``, from the owner's trading account into a sub-account that
nobody can trade (``settlement.base.sub_accounts``); the lots that the document names are locked
(``settlement.lots.locks``). Both
end together. What may be done when stands in two machines: that of a pledge, where both sides declare and are paired
before the approval (domain sheet 2.9), and that of a legal hold, which has one side.

Gold of a class is fungible while a receipt names a depositor. So the grams are what is bound, for whoever owns them;
lots can be named besides, and a pledge may name only lots that the pledgor's own receipts stand for.
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
from settlement.lots import locks
from settlement.tables.custody import encumbrance
from settlement.tables.ledger import engine_holding, instrument


class Kind(NamedTuple):
    """One of the two sorts: its machine, the kind of proposal that ends it, its lock and its sub-account."""

    machine: Machine
    release_word: str
    lock: str
    purpose: str

    @property
    def word(self) -> str:
        """Its name in proposals and references."""
        return self.machine.kind


PLEDGE = Kind(custody.PLEDGE, "pledge_release", "PLEDGE", sub_accounts.PLEDGE)
LEGAL_HOLD = Kind(custody.LEGAL_HOLD, "legal_lift", "LEGAL_HOLD", sub_accounts.HOLD)


async def check(connection: AsyncConnection, kind: Kind, account: str, symbol: str) -> str:
    """The account's member. Raises BadValue for an unknown account or class and for a name without a sub-account."""
    member = await sub_accounts.check_trading_account(connection, account)
    await sub_accounts.check_sub_account(connection, sub_accounts.sub_account(account, kind.purpose))
    if await connection.scalar(select(instrument.c.symbol).where(instrument.c.symbol == symbol)) is None:
        raise BadValue("symbol", symbol, "a class that the exchange has defined")
    return member


async def check_gold(connection: AsyncConnection, account: str, symbol: str, fine_mg: int) -> None:
    """Refuses (INSUFFICIENT_GOLD) early and clearly what the engine, which has the last word, would refuse."""
    held = select(engine_holding).where(engine_holding.c.account == account, engine_holding.c.asset == symbol)
    row = (await connection.execute(held)).first()
    free = max(row.total - row.reserved - row.locked - row.unwithdrawable, 0) if row else 0
    if free < fine_mg:
        text = f"account {account} needs {format_weight(fine_mg)} g of {symbol} and has {format_weight(free)} available"
        raise Refused("INSUFFICIENT_GOLD", text)


async def one(connection: AsyncConnection, kind: Kind, number: int) -> Row[Any]:
    """A pledge or a hold by number, locked until the transaction ends. Raises BadValue if there is none such."""
    row = (await load(connection, encumbrance, kind.machine, [number]))[number]
    if row.kind != kind.lock:
        raise BadValue(kind.word, number, f"the number of a {kind.word.replace('_', ' ')}")
    return row


async def listing(
    connection: AsyncConnection, kind: Kind, page: PageRequest = ALL, *, status: str | None = None
) -> Page[Row[Any]]:
    """Return the encumbrances of a kind, oldest first; of one ``status`` if it is given."""
    query = select(encumbrance).where(encumbrance.c.kind == kind.lock)
    if status is not None:
        query = query.where(encumbrance.c.status == status)
    return await fetch(connection, query, (encumbrance.c.encumbrance_no,), page)


def described(row: Row[Any]) -> dict[str, Any]:
    """What the second person reads."""
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
    connection: AsyncConnection, kind: Kind, by: str, name: str, numbers: Sequence[int], **values: Any
) -> list[Row[Any]]:
    """Takes one step of the kind's machine; returns the documents as they were before."""
    agreed = kind.release_word if name == "approve_release" else None
    rows = await advance(connection, encumbrance, kind.machine, by, name, numbers, values, agreed)
    return [rows[number] for number in numbers]


def _legs(kind: Kind, row: Row[Any], direction: int) -> Legs:
    amount = direction * row.fine_mg
    into = sub_accounts.sub_account(row.account, kind.purpose)
    return ((row.account, row.symbol, -amount), (into, row.symbol, amount))


class _Sending:
    """Grams go to the engine; a hold of lots alone needs no word of the engine."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    async def _send(
        self, connection: AsyncConnection, by: str, word: str, rows: list[Any], direction: int
    ) -> list[int]:
        """Queues what moves; returns the documents that move nothing."""
        moving = [row for row in rows if row.fine_mg]
        if moving:
            items = [(row.encumbrance_no, _legs(self._kind, row, direction)) for row in moving]
            await outbox.put(connection, word, by, items)
        return [row.encumbrance_no for row in rows if not row.fine_mg]


class Placing(_Sending):
    """The movement that binds gold."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Sends the grams to the sub-account."""
        rows = await step(connection, self._kind, by, "approve", subjects)
        if still := await self._send(connection, by, self._kind.word, rows, 1):
            await self.done(connection, SERVICE, still)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The lots are free again."""
        await self._end(connection, by, "decline", dict.fromkeys(subjects, "DECLINED"))

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The engine has moved the grams."""
        await step(connection, self._kind, by, "place", subjects)

    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
        """The gold is not there any more, for example in an order: nothing is bound."""
        await self._end(connection, by, "refuse", reasons)

    async def _end(self, connection: AsyncConnection, by: str, name: str, reasons: Mapping[int, str]) -> None:
        for number, reason in reasons.items():
            await step(connection, self._kind, by, name, [number], reason=reason)
            await locks.lift(connection, by, self._kind.lock, number)


class Releasing(_Sending):
    """The movement that frees gold."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """Sends the grams back; a pledge's are refused (LOCKED) while an authority holds one of its lots."""
        rows = await step(connection, self._kind, by, "approve_release", subjects)
        if self._kind.lock != "LEGAL_HOLD":
            await locks.check_not_held(connection, [lot_id for row in rows for lot_id in row.lots], but="FREEZE")
        if still := await self._send(connection, by, self._kind.release_word, rows, -1):
            await self.done(connection, SERVICE, still)

    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """It stays bound; both sides may begin anew."""
        await self._stay(connection, by, "decline_release", dict.fromkeys(subjects, "DECLINED"))

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
        """The engine has moved the grams back: the lots are free as well."""
        await step(connection, self._kind, by, "release", subjects)
        for number in subjects:
            await locks.lift(connection, by, self._kind.lock, number)

    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
        """It stays bound."""
        await self._stay(connection, by, "refuse_release", reasons)

    async def _stay(self, connection: AsyncConnection, by: str, name: str, reasons: Mapping[int, str]) -> None:
        cleared = {"release_document": None, "release_counter_document": None}
        for number, reason in reasons.items():
            await step(connection, self._kind, by, name, [number], reason=reason, **cleared)


PLEDGING, RELEASING_PLEDGE = Placing(PLEDGE), Releasing(PLEDGE)
HOLDING, LIFTING = Placing(LEGAL_HOLD), Releasing(LEGAL_HOLD)
