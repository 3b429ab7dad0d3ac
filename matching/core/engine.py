"""The matching core of a shard: commands in, events out, nothing else.

``apply_all`` does no I/O, reads no clock and draws no random number: the same commands give the same events, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

from goldx.protocol import commands, deal_commands, rfq_commands
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import COMMANDS, AnyCommand
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.notice_commands import NoticeAcknowledge, NoticePublish
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.quote_commands import QuoteMass, QuoteResetProtection, QuoteSetProtection
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.tags import tag_of
from matching.core import (
    adjustments,
    busts,
    changes,
    claim_setting,
    day_opening,
    deals,
    limit_setting,
    listing,
    mass_quotes,
    members,
    notices,
    phases,
    placing,
    plain,
    planned,
    protection,
    quotes,
    regime_setting,
    retirement,
    rfq_quotes,
    rfq_requests,
    snapshot,
    trading_day,
)
from matching.core.completion import complete
from matching.core.state import Events, State
from matching.core.tags import ORDER_CANCEL, ORDER_PLACE

Handler: TypeAlias = Callable[[State, tuple[Any, ...]], None]

_HANDLERS: dict[type[AnyCommand], Handler] = {
    commands.OrderPlace: placing.place,
    commands.OrderCancel: changes.cancel,
    commands.OrderCancelAll: changes.cancel_all,
    commands.OrderReplace: changes.replace,
    commands.QuoteSet: quotes.set_quote,
    commands.QuoteCancel: quotes.cancel_quote,
    commands.SessionClose: members.close_session,
    commands.InstrumentDefine: listing.define,
    commands.AccountOpen: members.open_account,
    commands.HoldingAdjust: adjustments.adjust,
    commands.HoldingSettle: adjustments.adjust_together,
    commands.MarketSetPhase: phases.set_phase,
    commands.MarketSetReference: listing.set_reference,
    commands.MemberKill: members.kill,
    commands.MemberRestore: members.restore,
    commands.MemberHalt: members.halt,
    commands.ClockTick: trading_day.tick,
    commands.MarketEndDay: trading_day.end_day,
    commands.InstrumentRetire: retirement.retire_instrument,
    commands.AccountRetire: retirement.retire_account,
    commands.MarketCancelOrders: retirement.cancel_orders,
    commands.TimetableStep: planned.take_step,
    commands.TimetableHold: planned.hold,
    commands.TimetableDelay: planned.delay,
    commands.TradeBust: busts.bust,
    VenueSetRegime: regime_setting.set_regime,
    QuoteMass: mass_quotes.set_quotes,
    QuoteSetProtection: protection.set_limits,
    QuoteResetProtection: protection.reset,
    deal_commands.DealPropose: deals.propose,
    deal_commands.DealAccept: deals.accept,
    deal_commands.DealDecline: deals.decline,
    deal_commands.DealCancel: deals.cancel,
    NoticePublish: notices.publish,
    NoticeAcknowledge: notices.acknowledge,
    LimitsSet: limit_setting.set_limits,
    MarketPermitOpening: day_opening.permit,
    AccountClaim: claim_setting.set_claim,
    rfq_commands.RfqCreate: rfq_requests.create,
    rfq_commands.RfqQuote: rfq_quotes.quote,
    rfq_commands.RfqWithdraw: rfq_quotes.withdraw,
    rfq_commands.RfqAccept: rfq_requests.accept,
    rfq_commands.RfqCancel: rfq_requests.cancel,
}
_GENERAL: dict[int, Handler] = {tag_of(command): _HANDLERS[command] for command in COMMANDS}
"""The handler of every command by its tag. A command of the protocol without one is an error at import."""
_DEFAULTS: dict[int, tuple[Any, ...]] = {
    tag_of(command): (None, *(field.default for field in msgspec.structs.fields(command))) for command in COMMANDS
}
"""The default of each field of a command in its plain form, by tag."""
_NO_TAG = 0


class Engine:
    """One core. Not thread-safe; commands have to come in the order of the journal.

    ``fast``: whether plain orders and their cancelling may take the fast path (``matching.core.plain``). Events and
    state are the same without it.
    """

    __slots__ = ("fast", "state")

    def __init__(self, *, fast: bool = True) -> None:
        self.state: State = State()
        self.fast: bool = fast

    def apply_all(self, at: int, commands: Iterable[tuple[Any, ...]], outcomes: list[Events]) -> None:
        """Apply commands at one time (ms since the epoch), in their order; append the events of each to ``outcomes``.

        A command is the plain form of one of ``goldx.protocol.commands``: its tag, then its fields; trailing fields
        may be missing, as they are in journals older than the field. The events are plain tuples in the field order of
        ``goldx.protocol.events``. A refusal is an event too. Only something that is no command raises
        (KeyError, TypeError, ValueError), before it has changed anything: the commands before it have been applied, and
        ``outcomes`` has grown by as many. Time never runs backward: an earlier ``at`` counts as the latest so far.
        """
        state = self.state
        place, cancel = (ORDER_PLACE, ORDER_CANCEL) if self.fast else (_NO_TAG, _NO_TAG)
        for command in commands:
            if at > state.now:
                state.now = state.at = at
                if at >= state.next_due:
                    trading_day.run_due(state)
                    outcomes.append(_apply_general(state, command))
                    continue
            tag: int = command[0]
            if tag == place:
                events = plain.place(state, command)
            elif tag == cancel:
                events = plain.cancel(state, command)
            else:
                events = None
            outcomes.append(_apply_general(state, command) if events is None else events)

    def apply(self, at: int, command: tuple[Any, ...]) -> Events:
        """Apply one command at a time and return its events, as ``apply_all`` does."""
        outcomes: list[Events] = []
        self.apply_all(at, (command,), outcomes)
        return outcomes[0]

    @property
    def sequence(self) -> int:
        """The sequence of the last event."""
        return self.state.sequence

    def snapshot(self) -> bytes:
        """Return the whole state as bytes. Equal states give equal bytes, however they came about."""
        return snapshot.write(self.state)

    @staticmethod
    def restore(data: bytes) -> Engine:
        """Return a core with the state of a snapshot. Raises ValueError if it is not a snapshot of this version."""
        engine = Engine()
        engine.state = snapshot.read(data)
        return engine

    def digest(self) -> str:
        """Return the SHA-256 of the state in hexadecimal: equal digests, equal states."""
        return sha256(self.snapshot()).hexdigest()


def _apply_general(state: State, command: tuple[Any, ...]) -> Events:
    """Apply any command the general way and return its events. Everything due by its time has happened before."""
    tag: int = command[0]
    defaults = _DEFAULTS[tag]
    if len(command) < len(defaults):
        command = (*command, *defaults[len(command) :])
    state.general_commands += 1
    _GENERAL[tag](state, command)
    return complete(state)
