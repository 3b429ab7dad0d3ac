"""A gateway's session and everything behind it in one process, without a journal between gateway and core.

The parts are the real ones: session, fast path, sequencer, view, and a matching core. What a sequencer would append to
the journal is applied to the core at once, and the time of the journal is a counter. So the same messages give the same
answers, byte for byte, in every run.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from api.edge.allowance import TokenBucket
from api.edge.auth import Principal
from api.journal.sequencer import Sequencer, _Frame
from api.sessions.quick import Quick
from api.sessions.session import Session
from api.sessions.trading import Trading
from api.sessions.turns import Turns
from api.view.view import View
from goldx.protocol.commands import AccountOpen, AnyCommand, HoldingAdjust, InstrumentDefine, MarketSetPhase
from goldx.protocol.terms import CONTINUOUS
from goldx.protocol.units import CASH
from goldx.streams.entries import Position
from goldx.streams.frames import EventFrame
from goldx.streams.keys import Keys
from matching.core.engine import Engine
from tests.matching.core.driving import apply

SYMBOL = "AU"
MEMBER, OTHER_MEMBER = "FIRM-A", "FIRM-B"
ACCOUNT, SECOND_ACCOUNT, OTHER_ACCOUNT = "A.1", "A.2", "B.1"
ACCOUNTS = ((ACCOUNT, MEMBER), (SECOND_ACCOUNT, MEMBER), (OTHER_ACCOUNT, OTHER_MEMBER))
"""Accounts with their members; each is an owner of its own, so that the two of one member trade with each other."""
TRADER = Principal("trader.key", b"", MEMBER, None, frozenset(("trade",)))
READER = Principal("reader.key", b"", MEMBER, None, frozenset())
OPERATOR = Principal("op.key", b"", None, "op", frozenset(("operate", "supervise")))
GENERAL_ONLY = {"expire_at", "display_quantity", "stop_price", "stp", "persist"}
"""Parameters of ``order.place`` that the fast path leaves to the general path."""
SET_BY_GATEWAY = {"session"}
"""Fields of the command that are no parameters of the request."""
UNLIMITED = 1_000_000
"""Requests that a session may send at once, where its rate is not what a test is about."""


class InProcessGateway:
    """One session at a market in continuous trading. ``fast``: whether the fast path is tried first.

    ``terms`` are those of the instrument, besides its reference price and fees.

    ``taken`` has an entry for every message: whether the fast path took it. ``commands`` are the placed commands.
    """

    def __init__(
        self,
        *,
        fast: bool,
        principal: Principal | None = TRADER,
        burst: int = UNLIMITED,
        accounts: Iterable[tuple[str, str]] = ACCOUNTS,
        symbol: str = SYMBOL,
        terms: dict[str, Any] = {},  # noqa: B006
    ) -> None:
        self.view = View()
        self.taken: list[bool] = []
        self.answers: list[bytes] = []
        self.commands: list[AnyCommand] = []
        self.sequencer = Sequencer("redis://127.0.0.1:1", Keys(), "test.1", lambda: self.view.position, 0)
        self.sequencer.available = True
        self._engine = Engine()
        self._fast = fast
        trading = Trading(self.view, self.sequencer, lambda then: then(True), None, asyncio.create_task)
        self._quick = Quick(self.view, self.sequencer, trading)
        self._number = 0
        self._soon: list[Callable[[], None]] = []
        """Functions that wait for the next turn of the event loop."""
        self.session = Session(
            "test.1.1",
            trading.methods,
            self._take,
            self.answers.append,
            TokenBucket(1, burst, 0.0),
            lambda: 0.0,
            reserve=TokenBucket(1, UNLIMITED, 0.0),
            turns=Turns(lambda: 0.0, self._soon.append, lambda _, function: self._soon.append(function)),
            hold=lambda _: None,
        )
        self.session.principal = principal
        opening: list[AnyCommand] = [
            InstrumentDefine(symbol, reference_price=60_000, maker_fee_bp=1, taker_fee_bp=3, **terms)
        ]
        opening.append(MarketSetPhase(symbol, CONTINUOUS))
        for account, member in accounts:
            opening.append(AccountOpen(account, member))
            opening.append(HoldingAdjust(account, CASH, 10**10, f"cash-{account}"))
            opening.append(HoldingAdjust(account, symbol, 10**8, f"gold-{account}"))
        for command in opening:
            self.apply(command)

    def send(self, *messages: bytes) -> None:
        """Hands messages to the session, and applies what it places."""
        for message in messages:
            self.session.receive([message])
            self.run_turns()
            while self.sequencer._pending:
                command, answer, share = self.sequencer._pending.pop(0)
                self.commands.append(command)
                frame = _Frame([answer], [share], 0)
                self.sequencer._frames[Position(self._number + 1, 0)] = frame
                self.apply(command)
                self.run_turns()

    def run_turns(self) -> None:
        """Do all work that sessions have left for the next turns."""
        while self._soon:
            self._soon.pop(0)()

    def _take(self, session: Session, message: bytes) -> bool:
        taken = self._fast and self._quick.take(session, message)
        self.taken.append(taken)
        return taken

    def apply(self, command: AnyCommand) -> None:
        """Applies a command as if it came from another gateway."""
        self._number += 1
        events = tuple(apply(self._engine, self._number, command))
        self.view.apply(EventFrame((self._number, 0), (events,)), self.sequencer.take_waiting)
