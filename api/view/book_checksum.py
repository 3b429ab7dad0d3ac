"""The checksum of a book after each update of its channel, computed when somebody needs it."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from api.view.channels import Channel
from api.view.records import BookUpdate

UPDATES_AFTER_READ: Final = 1_000
"""Updates of a book for which its checksum is kept current after somebody has read it."""


class BookChecksum:
    """The checksum of a book after each update of its channel, computed when it is needed.

    ``compute`` gives the checksum of the present book, ``difference`` the exclusive-or before and after some changes.
    While there are subscribers, or shortly after a read, the checksum is kept current from update to update. Checksums
    of older updates are computed backward from the newest.
    """

    def __init__(self, compute: Callable[[], int], difference: Callable[[Any], int]) -> None:
        self._compute = compute
        self._difference = difference
        self._now: int | None = None
        self._updates_left = 0
        """Updates for which the checksum is still kept current without a subscriber."""

    def publish(self, channel: Channel, at: int, changes: tuple[Any, ...]) -> None:
        if channel.subscribers or self._updates_left:
            self._updates_left = max(0, self._updates_left - 1)
            self._now = self._compute() if self._now is None else self._now ^ self._difference(changes)
        else:
            self._now = None
        if channel.recording:
            channel.publish(BookUpdate(at, changes, self._now))
        else:
            channel.sequence += 1

    @property
    def now(self) -> int:
        """The checksum of the present book. It may be read only when every change of the book has been published."""
        if self._now is None:
            self._now = self._compute()
        self._updates_left = UPDATES_AFTER_READ
        return self._now

    def seed(self, channel: Channel, sequence: int, checksum: int) -> None:
        """Set the checksum of the book as of the update ``sequence``; all later updates must be kept."""
        if self._now is None:
            for update in islice(channel.kept, len(channel.kept) - (channel.sequence - sequence), None):
                checksum ^= self._difference(update.changes)
                update.checksum = checksum
            self._now = checksum
            self._updates_left = UPDATES_AFTER_READ

    def complete(self, newest_first: Iterator[BookUpdate]) -> None:
        """Fill in the missing checksums of updates that begin with the newest one."""
        newer: BookUpdate | None = None
        for update in newest_first:
            if update.checksum is None:
                after = self.now if newer is None or newer.checksum is None else newer.checksum
                update.checksum = after if newer is None else after ^ self._difference(newer.changes)
            newer = update
