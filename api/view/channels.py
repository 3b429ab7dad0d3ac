"""Channels: numbered messages about one thing, for whoever subscribes.

A channel's messages are a function of the event stream alone: numbered from 1 without a gap, the same at every gateway
and after every restart. A channel keeps its newest messages, so that a subscriber that was away goes on where it was.
Messages are kept as plain values and become JSON when somebody reads them, once for all who come back at once. Those
that nobody hears, and nobody could come back for, are only counted: at a busy gateway these are nearly all.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import msgspec

KEPT: Final = 1_024
"""How many messages a channel keeps."""
FOREVER: Final = 1 << 62

encode = msgspec.json.Encoder().encode


class Subscriber(Protocol):
    """Whoever is sent the encoded messages."""

    def send(self, data: bytes) -> None: ...


class Content(NamedTuple):
    """What a message says: the time of the journal, the data, and the book's checksum after it."""

    at: int
    data: Any
    checksum: int | None = None


def message(channel: str, sequence: int, previous: int | None, content: Content) -> bytes:
    """The notification as it is sent. ``previous`` is None in a snapshot, which starts anew."""
    params: dict[str, Any] = {
        "channel": channel,
        "type": "snapshot" if previous is None else "update",
        "sequence": sequence,
        "previous": previous,
        "at": content.at,
        "data": content.data,
    }
    if content.checksum is not None:
        params["checksum"] = content.checksum
    return encode({"jsonrpc": "2.0", "method": "channel.message", "params": params})


class Channel:
    """``write`` makes the content of a kept value; ``snapshot`` that of the state now, for channels that have one.

    ``complete``, if given, is called before kept values are read: with those values, newest first. One that is
    ``lasting`` keeps its messages whether anybody hears them or not.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Any], Content],
        snapshot: Callable[[], Content] | None = None,
        complete: Callable[[Iterator[Any]], None] | None = None,
        lasting: bool = False,
    ) -> None:
        self.name = name
        self.sequence = 0
        self.subscribers: dict[Subscriber, None] = {}
        self._write = write
        self._snapshot = snapshot
        self._complete = complete
        self._lasting = lasting
        self.heard = True
        """Whether the next message is to be published; else it is only counted: ``sequence`` grows by one."""
        self._patience = FOREVER
        """For so many messages more it is taken for heard without a subscriber."""
        self._kept: deque[Any] = deque(maxlen=KEPT)
        self._written: dict[int, bytes] = {}
        """Messages by sequence, once somebody came back for them who was not the first."""

    def publish(self, value: Any) -> None:
        """The next message."""
        self.sequence += 1
        self._kept.append(value)
        if self._written and self.sequence % KEPT == 0:
            self._written.clear()
        if self.subscribers:
            data = self._message(self.sequence, value)
            for subscriber in tuple(self.subscribers):
                subscriber.send(data)
        else:
            self._patience -= 1
            if not self._patience:
                self.heard = False
                self._kept.clear()
                self._written.clear()

    def linger(self) -> None:
        """Nobody has come yet, or the last one has left: from now on as many messages are kept as there is room for.

        Whoever comes back later than that could not go on with them anyway.
        """
        if not self.subscribers and not self._lasting:
            self._patience = KEPT

    @property
    def oldest(self) -> int:
        """The sequence of the oldest message that is kept; one more than ``sequence`` when none is."""
        return self.sequence - len(self._kept) + 1

    def after(self, sequence: int) -> Iterator[bytes]:
        """The kept messages after a sequence that is not older than them."""
        if self._complete is not None:
            self._complete(islice(reversed(self._kept), self.sequence - sequence))
        first = max(sequence + 1, self.oldest)
        for number, value in enumerate(islice(self._kept, first - self.oldest, None), first):
            data = self._written.get(number)
            if data is None:
                data = self._message(number, value)
                if self.subscribers:
                    self._written[number] = data
            yield data

    def subscribe(self, subscriber: Subscriber, from_sequence: int | None) -> None:
        """Begins with what is kept after ``from_sequence``, or with a snapshot where that is too old or not given."""
        if from_sequence is not None and self.oldest <= from_sequence + 1 <= self.sequence + 1:
            for data in self.after(from_sequence):
                subscriber.send(data)
        elif self._snapshot is not None:
            subscriber.send(message(self.name, self.sequence, None, self._snapshot()))
        self.subscribers[subscriber] = None
        self.heard = True

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Ends a subscription, if there is one."""
        self.subscribers.pop(subscriber, None)
        self.linger()

    def render(self, sequence: int, value: Any) -> bytes:
        """A message that is no longer kept, from its value."""
        return self._message(sequence, value)

    def _message(self, sequence: int, value: Any) -> bytes:
        return message(self.name, sequence, sequence - 1, self._write(value))
