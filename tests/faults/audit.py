"""The audit: the commands of the journal and the events that must follow from them, by a core that replays it.

Each round its new part is compared with what was published, answered, sent to the channels, and posted.
"""

from collections import defaultdict
from typing import Any, NamedTuple

from redis.asyncio import Redis

from api.journal.sequencer import FILLER
from goldx.protocol import terms, units
from goldx.protocol.commands import MEMBER_COMMANDS, AnyCommand
from goldx.protocol.events import (
    AnyEvent,
    HoldingAdjusted,
    HoldingChanged,
    HoldingSettled,
    OrderAccepted,
    OrderCancelled,
    OrderReplaced,
    SelfTradePrevented,
    Trade,
)
from goldx.protocol.units import CASH
from goldx.protocol.wire import write_command, write_event
from goldx.streams.chains import NO_FRAME, event_frame
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import EventFrame, decode_commands, decode_events
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from matching.core.engine import Engine
from matching.run.fold import Fold
from tests.faults.load import key_of


class Applied(NamedTuple):
    """A member's command as it stands in the journal, and its events."""

    command: AnyCommand
    events: tuple[AnyEvent, ...]


Request = tuple[str, str, str]
"""Method, account and key (``load.SentRequest``)."""


class Audit:
    """``fold`` is the replayed state; commands, messages and trades are those of the present round."""

    def __init__(self, redis: Redis) -> None:
        keys = Keys()
        self._redis = redis
        self._keys = keys
        self._journal = Journal(redis, keys)
        self._events = EventStream(redis, keys)
        self._owners: dict[int, str] = {}
        self._unpublished: list[EventFrame] = []
        self._published = 0
        self.fold = Fold(Engine())
        self.holdings: defaultdict[tuple[str, str], int] = defaultdict(int)
        """(account, asset) -> sum of deposits and trades."""
        self.changed: dict[tuple[str, str], HoldingChanged] = {}
        self.fees = 0
        self.references: dict[str, int] = {}
        """Reference of a deposit -> sequence of its event."""
        self.trade_count = 0
        self.digests_compared = 0
        self.message_counts: defaultdict[str, int] = defaultdict(int)
        """Account -> number of all messages of its channel."""
        self.next_round()

    def next_round(self) -> None:
        """Forget what has been compared."""
        self.commands: defaultdict[Request, list[Applied]] = defaultdict(list)
        self.messages: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """Account -> the messages of its channel, as written events."""
        self.trades: list[Trade] = []

    @property
    def sequence(self) -> int:
        return self.fold.engine.sequence

    async def advance(self) -> None:
        """Follow the journal to its end, and the event stream as far as it goes. Raises AssertionError."""
        digests: dict[Any, Any] = await self._redis.hgetall(self._keys.digests)
        claimed = {name.decode(): value.decode() for name, value in digests.items()}
        while entries := await self._journal.read(self.fold.position):
            for position, data in entries:
                produced = self.fold.apply(position, data)
                frame = decode_events(event_frame(produced.body, 0, NO_FRAME)) if produced is not None else None
                assert not self.fold.chain_breaks, self.fold.chain_error
                if frame is not None:
                    self._unpublished.append(frame)
                outcomes = frame.outcomes if frame is not None else ()
                for index, command in enumerate(decode_commands(data).commands):
                    self._note(command, outcomes[index] if index < len(outcomes) else ())
                if (claim := claimed.get(str(position))) is not None:
                    state = f"{self.sequence} {self.fold.engine.digest()}"
                    assert claim == state, f"at {position} the engine's digest is {claim}, the replay's {state}"
                    self.digests_compared += 1
        await self._compare_published()

    async def _compare_published(self) -> None:
        """Check that the new frames of the event stream follow from the journal: no gap, and nothing twice."""
        while entries := await self._events.read_raw(self._published, 1_000):
            for entry_id, data in entries:
                if not self._unpublished:
                    return  # it follows from a journal entry that came after the last reading
                found, expected = decode_events(data), self._unpublished.pop(0)
                last = [event.sequence for outcome in expected.outcomes for event in outcome][-1]
                where = f"the journal entry {expected.position}"
                assert found.position == expected.position, f"{where} comes next, but {found.position} was published"
                assert found.outcomes == expected.outcomes, f"{where} gives other events than were published"
                assert entry_id == (last, 0), f"{where}: its events up to {last} stand under {entry_id}"
                self._published = last

    @property
    def all_published(self) -> bool:
        """Whether every event that follows from the journal is in the event stream."""
        return not self._unpublished and self._published == self.sequence

    def _note(self, command: AnyCommand, events: tuple[AnyEvent, ...]) -> None:
        if isinstance(command, MEMBER_COMMANDS) and command != FILLER:
            written = write_command(command)
            request = (command.method, written["params"]["account"], key_of(written["params"]))
            self.commands[request].append(Applied(command, events))
        for event in events:
            self._note_event(event)

    def _note_event(self, event: AnyEvent) -> None:
        if isinstance(event, OrderAccepted):
            self._owners[event.order_id] = event.account
        elif isinstance(event, Trade):
            self._trade(event)
        elif isinstance(event, HoldingAdjusted):
            assert event.reference not in self.references, f"{event.reference} was applied twice"
            self.references[event.reference] = event.sequence
            self.holdings[event.account, event.asset] += event.amount
        elif isinstance(event, HoldingChanged):
            self.changed[event.account, event.asset] = event
        for account in self._accounts_of(event):
            self.message_counts[account] += 1
            self.messages[account].append(write_event(event))

    def _trade(self, trade: Trade) -> None:
        self.trades.append(trade)
        self.trade_count += 1
        assert trade.trade_id == self.trade_count, f"trade {trade.trade_id} follows trade {self.trade_count - 1}"
        self.holdings[trade.buy_account, CASH] -= trade.amount + trade.buy_fee
        self.holdings[trade.sell_account, CASH] += trade.amount - trade.sell_fee
        self.holdings[trade.buy_account, trade.symbol] += trade.quantity
        self.holdings[trade.sell_account, trade.symbol] -= trade.quantity
        self.fees += trade.buy_fee + trade.sell_fee

    def _accounts_of(self, event: AnyEvent) -> list[str]:
        """Return the accounts whose channels have an event."""
        if isinstance(event, Trade):
            return [event.buy_account, event.sell_account]
        if isinstance(event, SelfTradePrevented):
            return sorted({self._owners[event.maker_order_id], self._owners[event.taker_order_id]})
        if isinstance(event, HoldingSettled):
            return sorted({leg.account for leg in event.legs})
        account = getattr(event, "account", None)
        return [account] if account else []

    @property
    def books(self) -> dict[str, dict[tuple[str, str], str]]:
        """Symbol -> (side, price) -> visible quantity of the engine, in the protocol's form."""
        found: dict[str, dict[tuple[str, str], str]] = {}
        for symbol, instrument in self.fold.engine.state.instruments.items():
            levels = found[symbol] = {}
            for side in (terms.BUY, terms.SELL):
                for level in instrument.own(side).levels_best_first():
                    visible, order = 0, level.head
                    while order is not None:
                        visible += order.visible()
                        order = order.next
                    price = units.format_price(level.price)
                    levels[terms.SIDES[side], price] = units.format_weight(visible)
        return found

    def open_orders(self, account: str) -> dict[int, str]:
        """Return the remaining quantity of an account's open orders by their ids."""
        orders = self.fold.engine.state.orders.values()
        return {
            order.order_id: units.format_weight(order.remaining) for order in orders if order.account.name == account
        }

    @property
    def session_orders(self) -> dict[int, str]:
        """The session of every open order that ends with its session."""
        orders = self.fold.engine.state.orders.values()
        ending = (order for order in orders if order.session and not order.session.startswith(terms.OUTLIVES))
        return {order.order_id: order.session for order in ending}


def expected_outcome(request: Request, applied: Applied) -> tuple[Any, ...]:
    """Return the outcome that a member must be given: ``("ok", order ids...)`` or ``("no", reason)``."""
    method, account, _ = request
    own = [event for event in applied.events if getattr(event, "account", None) == account]
    for event in own:
        reason = getattr(event, "reason", "")
        if event.event == "order.rejected" or (event.event == "command.rejected" and event.method == method):  # type: ignore[union-attr]
            return "no", reason
    if method in ("order.place", "quote.set"):
        return "ok", *(event.order_id for event in own if isinstance(event, OrderAccepted))
    if method == "order.replace":
        changed = (
            event.order_id
            for event in own
            if isinstance(event, OrderReplaced) or (isinstance(event, OrderCancelled) and event.reason == "REPLACED")
        )
        return "ok", next(changed)
    cancelled = (e.order_id for e in own if isinstance(e, OrderCancelled) and e.reason == "USER")
    return "ok", *sorted(cancelled)
