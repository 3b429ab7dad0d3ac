"""Channels: numbered messages about one subject, such as a book or an account, for subscribers.

A channel's messages are a function of the event stream alone: numbered from 1 without a gap, the same at every gateway
and after every restart. A channel keeps its newest messages, so that a subscriber that was away can resume.

Every sequence has an epoch, a text that names the history of the exchange and the leader that published the message: a
sequence with another epoch belongs to a history that was lost, or to another exchange.

Messages are kept as plain values and are encoded when a subscriber gets them. A channel that has had no subscriber for
KEPT messages only counts them, as nobody could resume with an older one: at a busy gateway nearly all channels do.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import msgspec

KEPT: Final = 1_024
"""The number of messages that a channel keeps."""
NO_LIMIT: Final = 1 << 62
PART_ROWS: Final = 500
"""Rows of a snapshot that are written in one piece of work."""

encode = msgspec.json.Encoder().encode


class Subscriber(Protocol):
    """A receiver of encoded messages."""

    def send(self, data: bytes) -> None: ...


class Content(NamedTuple):
    """The content of a message: the time of the journal in ms, the data, and the checksum of the book afterwards."""

    at: int
    data: Any
    checksum: int | None = None


def message(
    channel: str, sequence: int, previous: int | None, content: Content, epoch: str, kind: str = "update"
) -> bytes:
    """Return the encoded notification. ``previous`` is the sequence of the message before, None for a snapshot."""
    params: dict[str, Any] = {
        "channel": channel,
        "type": "snapshot" if previous is None else kind,
        "sequence": sequence,
        "previous": previous,
        "epoch": epoch,
        "at": content.at,
        "data": content.data,
    }
    if content.checksum is not None:
        params["checksum"] = content.checksum
    return encode({"jsonrpc": "2.0", "method": "channel.message", "params": params})


class SnapshotInParts:
    """A snapshot of a book that is written piece by piece, while the book keeps changing.

    ``rows`` are the present rows, ``write`` gives the side of a row and its form, and ``checksum`` that of a row.
    ``finish`` gets the checksum of all rows before the messages after the snapshot are sent.
    """

    def __init__(
        self,
        channel: "Channel",
        at: int,
        rows: Sequence[Any],
        write: Callable[[Any], tuple[int, Any]],
        checksum: Callable[[Any], int],
        finish: Callable[[int, int], None],
    ) -> None:
        self.sequence = channel.sequence
        self._channel = channel
        self._epoch = channel.epoch
        self._at = at
        self._rows = rows
        self._write = write
        self._checksum_of = checksum
        self._finish = finish
        self._written = 0
        self._checksum = 0
        self._sides: tuple[list[bytes], list[bytes]] = ([], [])
        channel.recording = True
        channel.limit_unread()

    def step(self) -> bool:
        """Write the next rows, and return whether there are more."""
        for row in self._rows[self._written : self._written + PART_ROWS]:
            side, form = self._write(row)
            self._sides[side].append(encode(form))
            self._checksum ^= self._checksum_of(row)
        self._written += PART_ROWS
        return self._written < len(self._rows)

    @property
    def is_current(self) -> bool:
        """Whether all messages after the snapshot are still kept."""
        return self._channel.keeps_after(self.sequence)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Begin a subscription with the snapshot, which must be complete and current, and the messages after it."""
        self._finish(self.sequence, self._checksum)
        bids, asks = (b"[" + b",".join(side) + b"]" for side in self._sides)
        data = msgspec.Raw(b'{"bids":' + bids + b',"asks":' + asks + b"}")
        content = Content(self._at, data, self._checksum)
        subscriber.send(message(self._channel.name, self.sequence, None, content, self._epoch))
        self._channel.subscribe(subscriber, self.sequence)


class Channel:
    """One channel.

    ``write`` makes the content of a kept value. ``snapshot`` makes the content of the present state, for channels that
    have snapshots. ``complete`` is called with kept values, newest first, before they are written. A channel that is
    ``lasting`` keeps its messages even if it has no subscriber for long. ``rows`` counts the rows of a snapshot,
    ``in_parts`` begins one that is too large to be written at once.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Any], Content],
        snapshot: Callable[[], Content] | None = None,
        complete: Callable[[Iterator[Any]], None] | None = None,
        lasting: bool = False,
        rows: Callable[[], int] | None = None,
        in_parts: Callable[[], SnapshotInParts] | None = None,
    ) -> None:
        self.name = name
        self.sequence = 0
        self.subscribers: dict[Subscriber, None] = {}
        self._beginning = "0-0"
        """The journal position at which the history of the exchange begins."""
        self._epochs: list[tuple[int, str]] = [(0, "0-0.0")]
        self._write = write
        self._snapshot = snapshot
        self._complete = complete
        self._lasting = lasting
        self._rows = rows
        self._in_parts = in_parts
        self.notice: Callable[[bool], Content | None] | None = None
        """Returns the notice that a new subscriber gets besides the numbered messages, or None.

        Its argument is whether the subscriber resumes, and so may have had a notice that is no longer true.
        """
        self.recording = True
        """Whether the next message is to be published; otherwise it is only counted: ``sequence`` grows by one."""
        self._unread_left = NO_LIMIT
        """Messages that are still recorded without a subscriber."""
        self._kept: deque[Any] = deque(maxlen=KEPT)
        self._written: dict[int, bytes] = {}
        """Encoded messages by sequence, kept once a second subscriber has resumed with them."""

    def begin_epoch(self, beginning: str, number: int) -> None:
        """Give all messages from now on the epoch of a leader.

        ``beginning`` is the journal position at which the history begins, ``number`` the leader's epoch.
        """
        self._beginning = beginning
        if self._epochs[-1][0] == self.sequence:
            self._epochs.pop()
        self._epochs.append((self.sequence, f"{beginning}.{number}"))

    @property
    def epochs(self) -> list[tuple[int, str]]:
        """The epochs of the messages: (the sequence after which it begins, its text), oldest first."""
        return self._epochs

    @property
    def kept(self) -> deque[Any]:
        """The values of the newest messages, oldest first."""
        return self._kept

    def restore(self, beginning: str, sequence: int, epochs: list[tuple[int, str]]) -> None:
        """Continue, in a new channel, the numbering of a former one."""
        self._beginning = beginning
        self.sequence = sequence
        self._epochs = epochs

    def epoch_of(self, sequence: int) -> str:
        """Return the epoch of an existing message, or with 0 that of the time before the first one."""
        for start, epoch in reversed(self._epochs):
            if start < sequence:
                return epoch
        return f"{self._beginning}.0"

    @property
    def epoch(self) -> str:
        """The epoch of the newest message."""
        return self.epoch_of(self.sequence)

    def publish(self, value: Any) -> None:
        """Record the next message, and send it to the subscribers."""
        self.sequence += 1
        self._kept.append(value)
        if self._written and self.sequence % KEPT == 0:
            self._written.clear()
        if self.subscribers:
            data = self._message(self.sequence, value)
            for subscriber in tuple(self.subscribers):
                subscriber.send(data)
        else:
            self._unread_left -= 1
            if not self._unread_left:
                self.recording = False
                self._kept.clear()
                self._written.clear()

    def limit_unread(self) -> None:
        """Stop recording after KEPT messages without a subscriber; nobody could resume with an older one."""
        if not self.subscribers and not self._lasting:
            self._unread_left = KEPT

    @property
    def has_snapshots(self) -> bool:
        """Whether a subscription begins with a snapshot."""
        return self._snapshot is not None

    @property
    def oldest(self) -> int:
        """The sequence of the oldest message that is kept; ``sequence + 1`` if none is."""
        return self.sequence - len(self._kept) + 1

    def after(self, sequence: int) -> Iterator[bytes]:
        """Yield the kept messages, encoded, after ``sequence``, which must be at least ``oldest - 1``."""
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

    def keeps_after(self, sequence: int) -> bool:
        """Return whether all messages after ``sequence``, a sequence that was reached, are kept."""
        return self.oldest <= sequence + 1 <= self.sequence + 1

    def rows_to_begin(self, from_sequence: int | None) -> int:
        """Return the number of rows or messages with which a subscription begins."""
        if from_sequence is not None and self.keeps_after(from_sequence):
            return self.sequence - from_sequence
        if self._snapshot is None:
            return 0 if from_sequence is None else 1 + len(self._kept)
        return 1 if self._rows is None else 1 + self._rows()

    def snapshot_in_parts(self, from_sequence: int | None) -> SnapshotInParts | None:
        """Return the large snapshot with which a subscription begins; None for a small one, and for messages."""
        if self._in_parts is None or (from_sequence is not None and self.keeps_after(from_sequence)):
            return None
        return self._in_parts() if self.rows_to_begin(None) > PART_ROWS else None

    def subscribe(self, subscriber: Subscriber, from_sequence: int | None) -> None:
        """Begin a subscription.

        It begins with the kept messages after ``from_sequence``, or with a snapshot if that is too old or None. A
        channel without snapshots sends a message of type ``gap`` for the messages that are no longer kept.
        """
        resumes = from_sequence is not None and self.keeps_after(from_sequence)
        if from_sequence is not None and resumes:
            for data in self.after(from_sequence):
                subscriber.send(data)
        elif self._snapshot is not None:
            subscriber.send(message(self.name, self.sequence, None, self._snapshot(), self.epoch))
        elif from_sequence is not None:
            self._send_after_gap(subscriber, from_sequence)
        if self.notice is not None and (notice := self.notice(resumes)) is not None:
            subscriber.send(self._notice_message(notice))
        self.subscribers[subscriber] = None
        self.recording = True

    def notify(self, content: Content) -> None:
        """Send the subscribers a message of type ``notice``, which is not numbered: it repeats the present sequence."""
        if self.subscribers:
            data = self._notice_message(content)
            for subscriber in tuple(self.subscribers):
                subscriber.send(data)

    def _notice_message(self, content: Content) -> bytes:
        return message(self.name, self.sequence, self.sequence, content, self.epoch, "notice")

    def _send_after_gap(self, subscriber: Subscriber, from_sequence: int) -> None:
        """Send a gap with the number of messages no longer kept and the time of its end, then the kept messages."""
        last = self.oldest - 1
        at = self._write(self._kept[0]).at if self._kept else 0
        content = Content(at, {"missed": last - from_sequence})
        subscriber.send(message(self.name, last, from_sequence, content, self.epoch_of(last), "gap"))
        for data in self.after(last):
            subscriber.send(data)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """End a subscription, if there is one."""
        self.subscribers.pop(subscriber, None)
        self.limit_unread()

    def render(self, sequence: int, value: Any) -> bytes:
        """Return the encoded message of a value, for a message that is no longer kept."""
        return self._message(sequence, value)

    def _message(self, sequence: int, value: Any) -> bytes:
        return message(self.name, sequence, sequence - 1, self._write(value), self.epoch_of(sequence))
