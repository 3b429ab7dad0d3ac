"""Settlement's register, as a gateway asks it before a command goes to the journal, and has it keep lots meanwhile."""

import asyncio
import time
from typing import Final, TypeAlias

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.edge.outcome import Refusal
from goldx.protocol.bases import LotsFound
from goldx.protocol.units import BadValue, format_weight
from goldx.streams.server_clock import ServerClock
from settlement.base import registry
from settlement.custody import reservations
from settlement.custody.reservations import Move, UnfitLots
from settlement.ledger import progress

log = structlog.get_logger()

KEPT_MS: Final = 15_000
"""How long named lots are kept for a command until the engine takes it: three times as long as an append may take."""
LotMove: TypeAlias = Move
RETRY_MS: Final = 1_000
AT_ONCE: Final = 2
"""The number of requests about lots that the database gets at the same time: settlement posts beside them."""
MOST_WAITING: Final = 32
"""The largest number of requests about lots that wait for that. More are refused."""


class SettlementRegister:
    """The register of members and lots in settlement's database. ``clock`` knows the time of the journal's server.

    ``sequence`` is the newest event when the gateway started. Settlement posts in a moment what the engine has
    decided. After a restore of the database it posts all of that anew: until it has come to where it was, lots may
    look free that are sold, so none is kept for a deal.
    """

    def __init__(self, engine: AsyncEngine, clock: ServerClock | None = None, sequence: int = 0) -> None:
        self._engine = engine
        self._clock = clock
        self._posted = sequence
        """The newest event that settlement is known to have posted, or must have posted before lots are kept."""
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._releases: set[asyncio.Task[None] | None] = set()

    async def check_member(self, member: str) -> None:
        """Raise Refusal unless a firm is registered and in use (UNKNOWN_MEMBER), or if it cannot be known."""
        try:
            why = await registry.why_no_account(self._engine, member)
        except (SQLAlchemyError, OSError) as error:
            raise _unavailable("members", "the account was not opened", error) from error
        if why is not None:
            allowed = "a member that is registered and in use"
            raise Refusal("UNKNOWN_MEMBER", f"member: {why}", field="member", value=member, allowed=allowed)

    async def find_lots(self, move: LotMove, *, keep: bool) -> LotsFound:
        """Check named lots, and with ``keep`` reserve them for one command, as long as KEPT_MS.

        With ``keep`` it is the holder who asks, and learns what is wrong with its lots. Anybody else learns only that
        they are not as it says: what others hold, what binds it and what it weighs is their own affair.

        Raises Refusal with the field, its value and what is allowed: UNKNOWN_LOT, LOT_BOUND, BAD_QUANTITY; RATE_LIMITED
        if too many ask; and UNAVAILABLE if it cannot be known, also while settlement posts anew what it had posted.
        """
        if self._waiting >= MOST_WAITING:
            raise Refusal("RATE_LIMITED", "too many requests name lots just now", retry_after_ms=RETRY_MS)
        self._waiting += 1
        try:
            # Whoever was refused and tries again at once must not meet its own lots.
            if releases := [task for task in self._releases if task is not None]:
                await asyncio.wait(releases)
            async with self._places:
                return await self._find_lots(move, keep=keep)
        finally:
            self._waiting -= 1

    async def _find_lots(self, move: LotMove, *, keep: bool) -> LotsFound:
        offset_ms = 0 if self._clock is None else self._clock.offset_ms or 0
        until = time.time_ns() // 1_000_000 + offset_ms + KEPT_MS
        number = 0
        try:
            async with self._engine.begin() as connection:
                if keep:
                    await self._check_posted(connection)
                    number = await reservations.reserve(connection, move, until)
                else:
                    await reservations.check(connection, move)
        except UnfitLots as unfit:
            raise _unfit(unfit) if keep else _not_as_said(move) from unfit
        except (SQLAlchemyError, OSError) as error:
            raise _unavailable("lots", "the command was not placed", error) from error
        return LotsFound(tuple(move.receipts), move.fine_mg, number, until)

    async def _check_posted(self, connection: AsyncConnection) -> None:
        """Raise Refusal (UNAVAILABLE) if settlement has not posted what this gateway has seen posted."""
        posted = await progress.posted(connection)
        if posted < self._posted:
            text = f"settlement has posted {posted} of at least {self._posted} events again; the command was not placed"
            raise Refusal("UNAVAILABLE", text, retry_after_ms=RETRY_MS)
        self._posted = posted

    async def release(self, found: LotsFound) -> None:
        """Free lots whose command was refused. If that cannot be done now, settlement does it later."""
        task = asyncio.current_task()
        self._releases.add(task)
        try:
            async with self._places, self._engine.begin() as connection:
                await reservations.release(connection, found.reservation)
        except (SQLAlchemyError, OSError) as error:
            log.warning("lots are freed later", reservation=found.reservation, error=str(error))
        finally:
            self._releases.discard(task)


def _unfit(unfit: UnfitLots) -> Refusal:
    about = {"field": unfit.field, "value": unfit.value, "allowed": unfit.allowed}
    return Refusal(unfit.reason, str(BadValue(unfit.field, unfit.value, unfit.allowed)), **about)


def _not_as_said(move: LotMove) -> Refusal:
    lots = list(move.receipts)
    weight = format_weight(move.fine_mg)
    allowed = f"receipts of {move.symbol} that {move.from_account} has free, and that weigh {weight} g fine together"
    return Refusal("UNKNOWN_LOT", str(BadValue("lots", lots, allowed)), field="lots", value=lots, allowed=allowed)


def _unavailable(what: str, so: str, error: Exception) -> Refusal:
    log.warning("the register is not reachable", of=what, error=str(error))
    return Refusal("UNAVAILABLE", f"the register of {what} is not reachable; {so}", retry_after_ms=RETRY_MS)
