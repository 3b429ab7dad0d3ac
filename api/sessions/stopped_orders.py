"""Cancelling all open orders of members and keys that are suspended or ended, with whatever settings they were placed.

The sessions end first, and cancel their orders; this cancels the remaining ones, such as orders that outlive their
session. Every gateway does it as long as its view shows such an order, so none is forgotten when a gateway is lost; if
two gateways do it at once, the second one finds nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from api.edge.key_register import KeyRegister
from api.edge.outcome import Outcome, Refusal
from api.view.view import View
from goldx.protocol.commands import AnyCommand, MarketCancelOrders, SessionClose
from goldx.protocol.terms import EVERY

CHECK_SECONDS: Final = 0.5
REASON: Final = "the member is suspended or ended"


class StoppedOrders:
    """The open orders of whoever may not trade any more. ``place`` places a command."""

    def __init__(self, register: KeyRegister, view: View, place: Callable[[AnyCommand], Awaitable[Outcome]]) -> None:
        self._register = register
        self._view = view
        self._place = place
        self._closed: set[str] = set()
        """Keys whose orders this gateway has cancelled since they were suspended or revoked."""

    async def follow(self) -> None:
        """Cancel such orders, until this task is cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for member, by in self._register.stopped_members().items():
                await self._end_member(member, by)
            stopped = self._register.stopped_keys()
            self._closed &= stopped.keys()
            for key_id, member in stopped.items():
                await self._end_key(key_id, member)

    async def _end_member(self, member: str, by: str) -> None:
        for account, symbol in self._live(member):
            with contextlib.suppress(Refusal, TimeoutError):
                await self._place(MarketCancelOrders(symbol, REASON, account, by))

    async def _end_key(self, key_id: str, member: str) -> None:
        """Cancel a key's orders; whose order it is only the core knows, so it is asked if the member has any."""
        if key_id not in self._closed and self._live(member):
            with contextlib.suppress(Refusal, TimeoutError):
                await self._place(SessionClose(member, f"{key_id}{EVERY}"))
                self._closed.add(key_id)

    def _live(self, member: str) -> list[tuple[str, str]]:
        """Return accounts of a member, each with an instrument in which it has anything open.

        That is orders, deals, requests for quotes, and quotes in those of others.
        """
        accounts = [self._view.accounts[name] for name in self._view.members.get(member, ())]
        found = {(account.name, order.symbol) for account in accounts for order in account.live.values()}
        for account in accounts:
            found |= {(account.name, deal.proposed.symbol) for deal in self._view.deals.open_of(account.name)}
            requests = self._view.requests.own(account.name) + self._view.requests.quoted_by(account.name)
            found |= {(account.name, request.created.symbol) for request in requests}
        return sorted(found)
