"""The matching core of a shard: commands in, events out, nothing else.

``apply_all`` does no I/O, reads no clock, draws no random number: the same commands give the same events, byte for
byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import msgspec

from goldx.protocol import commands
from goldx.protocol.commands import AnyCommand
from matching.core import changes, entry, market, phases, placing, plain, quotes, snapshot, venue
from matching.core.state import Events, State


def _tag(command: type[AnyCommand]) -> int:
    tag = command.__struct_config__.tag
    assert isinstance(tag, int)
    return tag


_SIZES: dict[int, int] = {}
_DEFAULTS: dict[int, tuple[Any, ...]] = {}
for _command in commands.BY_METHOD.values():
    _fields = msgspec.structs.fields(_command)
    _SIZES[_tag(_command)] = 1 + len(_fields)
    _DEFAULTS[_tag(_command)] = (None, *(field.default for field in _fields))

_REST: dict[int, Any] = {
    1: placing.place,
    2: changes.cancel,
    3: changes.cancel_all,
    4: changes.replace,
    5: quotes.set_quote,
    6: quotes.cancel_quote,
    7: venue.close_session,
    8: market.define,
    9: venue.open_account,
    10: venue.adjust,
    11: venue.settle,
    12: phases.set_phase,
    13: market.set_reference,
    14: venue.kill,
    15: venue.restore,
    16: venue.halt,
    18: market.end_day,
}
"""By tag, all but clock.tick, which only is."""


class Engine:
    """One core. Not thread-safe; commands are to come in the order of the journal."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: State = State()

    def apply_all(self, at: int, commands: Iterable[tuple[Any, ...]], outcomes: list[Events]) -> None:
        """Applies commands at one time (ms since the epoch), in their order, and appends the events of each.

        A command is the plain form of one of ``goldx.protocol.commands``: its tag, then its fields; trailing fields
        may be missing, as they are in journals older than the field. The events are plain tuples in the field order of
        ``goldx.protocol.events``. What the exchange refuses is an event too; only what is no command at all raises
        (KeyError, TypeError, ValueError), before anything has changed: the commands before it have happened, and
        ``outcomes`` has grown by as many. Time never runs backward: an earlier ``at`` counts as the latest so far.
        """
        state = self.state
        for command in commands:
            if at > state.now:
                state.now = state.stamp = at
                if at >= state.next_due:
                    market.run_due(state)
                    outcomes.append(_in_full(state, command))
                    continue
            kind: int = command[0]
            if kind == 1:
                events = plain.place(state, command)
            elif kind == 2:
                events = plain.cancel(state, command)
            else:
                events = None
            outcomes.append(_in_full(state, command) if events is None else events)

    def apply(self, at: int, command: tuple[Any, ...]) -> Events:
        """Applies one command at a time and returns its events, as ``apply_all`` does."""
        outcomes: list[Events] = []
        self.apply_all(at, (command,), outcomes)
        return outcomes[0]

    @property
    def sequence(self) -> int:
        """The sequence of the last event."""
        return self.state.sequence

    def snapshot(self) -> bytes:
        """The whole state. The same state gives the same bytes, however it came about."""
        return snapshot.write(self.state)

    @staticmethod
    def restore(data: bytes) -> Engine:
        """The core a snapshot was taken of. Raises ValueError when it is not a snapshot of this version."""
        engine = Engine()
        engine.state = snapshot.read(data)
        return engine

    def digest(self) -> str:
        """SHA-256 of the state, in hex: equal digests, equal state."""
        return sha256(self.snapshot()).hexdigest()


def _in_full(state: State, command: tuple[Any, ...]) -> Events:
    """The long way of a command, by which every one can go. What is due by its time has happened."""
    kind: int = command[0]
    if kind != 17:
        if len(command) < _SIZES[kind]:
            command = (*command, *_DEFAULTS[kind][len(command) :])
        _REST[kind](state, command)
    return entry.end(state)
