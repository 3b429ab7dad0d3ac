"""Commands that give named lots away: the lots are found in the register and kept, before the command is placed.

That is a proposal to sell named lots, the acceptance of one to buy some, and the annulment of a trade of such lots. A
proposal to buy only has them checked: a buyer binds nobody's lots. If the command is refused, the lots are freed again;
what is kept for a command whose outcome nobody learns, settlement frees (``settlement.custody.reservations``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol, TypeAlias

from msgspec.structs import replace

from api.edge.outcome import Outcome, Refusal
from api.edge.rpc import Request
from api.edge.settlement_register import LotMove, SettlementRegister
from api.journal.newest_events import RETRY_MS, Then
from api.sessions.session import Session
from api.sessions.trade_terms import terms_of_trade
from api.view.deals import Deal
from api.view.records import OPEN
from api.view.view import View
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import AnyCommand, TradeBust
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.terms import BUY

Answered: TypeAlias = Callable[[Outcome | Refusal], None]
_NO_REGISTER: Final = "this gateway has no register of lots"
LOOK_UP_ROWS: Final = 4_000
"""The cost to a session of asking the register, in rows of an answer: 200 units, for a transaction of the database."""


class Submit(Protocol):
    """Submits a member's command, and answers its request; ``answered`` is called with the outcome as well."""

    def __call__(
        self, session: Session, request: Request, command: AnyCommand, *, answered: Answered | None = None
    ) -> None: ...


class NamedLots:
    """Handles such commands. ``register`` is None where there is none: then they are refused."""

    def __init__(
        self,
        view: View,
        register: SettlementRegister | None,
        wait_for_events: Callable[[Then], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._view = view
        self._register = register
        self._wait_for_events = wait_for_events
        self._spawn = spawn

    def concerns(self, command: AnyCommand) -> bool:
        """Return whether a member's command is, or may be, about named lots."""
        if isinstance(command, DealPropose):
            return bool(command.lots)
        if not isinstance(command, DealAccept):
            return False
        deal = self._view.deals.by_id.get(command.deal_id)
        return deal is None or _is_purchase(deal)

    async def submit(self, session: Session, request: Request, command: AnyCommand, submit: Submit) -> None:
        """Submit a member's command with what was found of its lots, or answer its request with a refusal."""
        try:
            found = await self._find(session, command)
        except Refusal as refusal:
            request.refuse(refusal)
            return
        if found is None:
            answered = None
        elif session.ended:
            self._free(found)
            return
        else:
            command = replace(command, lots_found=found)
            answered = self._freeing(found)
        try:
            submit(session, request, command, answered=answered)
        except Refusal as refusal:
            request.refuse(refusal)
            if answered is not None:
                answered(refusal)

    async def annulment(self, command: TradeBust) -> TradeBust:
        """Return an annulment with the terms of its trade and the lots that the buyer gives back, kept for it.

        Raises Refusal.
        """
        trade = terms_of_trade(self._view, command.trade_id)
        command = replace(command, trade=trade)
        fill = self._view.fills.get(command.trade_id)
        lots = None if fill is None or fill.busted else fill.trade.lots
        if not lots:
            return command
        move = LotMove(trade.buy_account, trade.sell_account, trade.symbol, lots, trade.quantity, command.trade_id)
        return replace(command, lots_found=await self._found(move, keep=True))

    def answered(self, command: AnyCommand) -> Answered | None:
        """Return what has to be called with the outcome of an annulment; None if it keeps no lots."""
        found = command.lots_found if isinstance(command, TradeBust) else None
        return None if found is None else self._freeing(found)

    async def place(self, command: AnyCommand, place: Callable[[AnyCommand], Awaitable[Outcome]]) -> Outcome:
        """Place a command by a function, and free its lots if it is refused. Raises what the function raises."""
        answered = self.answered(command)
        try:
            outcome = await place(command)
        except Refusal as refusal:
            if answered is not None:
                answered(refusal)
            raise
        if answered is not None:
            answered(outcome)
        return outcome

    async def _find(self, session: Session, command: AnyCommand) -> LotsFound | None:
        """Return what the register has of the lots of a command; None if the core will not ask for it."""
        if isinstance(command, DealAccept):
            deal = self._view.deals.by_id.get(command.deal_id)
            if deal is None:
                await self._newest()
                deal = self._view.deals.by_id.get(command.deal_id)
            if deal is None or not _is_purchase(deal) or deal.proposed.counter_account != command.account:
                return None
            bought = deal.proposed
            move = LotMove(command.account, bought.account, bought.symbol, bought.lots or (), bought.quantity)
            session.charge(LOOK_UP_ROWS)
            return await self._found(move, keep=True)
        assert isinstance(command, DealPropose)
        if self._is_refused_anyway(command):
            return None
        parties = (command.account, command.counter_account)
        giver, taker = parties[::-1] if command.side == BUY else parties
        move = LotMove(giver, taker, command.symbol, command.lots, command.quantity)
        session.charge(LOOK_UP_ROWS)
        return await self._found(move, keep=command.side != BUY)

    def _is_refused_anyway(self, command: DealPropose) -> bool:
        """Return whether a proposal names what is not there, or is a repeated one: the core has the answer then."""
        accounts = self._view.accounts
        return (
            command.symbol not in self._view.markets
            or command.counter_account not in accounts
            or command.counter_account == command.account
            or self._view.deals.find(command.account, command.client_deal_id) is not None
        )

    async def _newest(self) -> None:
        """Wait until the view has every event that there is. Raises Refusal if it cannot be known."""
        known: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._wait_for_events(lambda current: None if known.done() else known.set_result(current))
        if not await known:
            text = "the events are not reachable, so it is not known whether there is such a deal"
            raise Refusal("UNAVAILABLE", text, retry_after_ms=RETRY_MS)

    async def _found(self, move: LotMove, *, keep: bool) -> LotsFound:
        if self._register is None:
            raise Refusal("UNAVAILABLE", _NO_REGISTER, retry_after_ms=RETRY_MS)
        return await self._register.find_lots(move, keep=keep)

    def _freeing(self, found: LotsFound) -> Answered:
        def answered(outcome: Outcome | Refusal) -> None:
            taken = not isinstance(outcome, Refusal) and any(
                getattr(event, "lot_reservation", None) == found.reservation for event in outcome
            )
            if not taken:
                self._free(found)

        return answered

    def _free(self, found: LotsFound) -> None:
        if found.reservation and self._register is not None:
            self._spawn(self._register.release(found))


def _is_purchase(deal: Deal) -> bool:
    """Return whether a deal is an open proposal to buy named lots."""
    return bool(deal.proposed.lots) and deal.proposed.side == BUY and deal.status == OPEN
