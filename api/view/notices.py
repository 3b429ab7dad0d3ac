"""The venue's notices, and which members have acknowledged them, as the gateway's view keeps them."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from api.view.channels import KEPT, Channel, Content
from goldx.protocol.notice_events import NoticeAcknowledged, NoticePublished
from goldx.protocol.wire import write_event

CHANNEL: Final = "notice"


class Notices:
    """The newest KEPT notices; who has acknowledged an older one is in the event stream."""

    def __init__(self) -> None:
        self.by_id: dict[int, NoticePublished] = {}
        """Oldest first."""
        self.replaced_by: dict[int, int] = {}
        self.acknowledged: dict[int, dict[str, int]] = {}
        """By notice: the members that have acknowledged it, and when (ms)."""
        self.channel = Channel(CHANNEL, _content, lasting=True)

    def handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return the functions that fold the events of notices, by type."""
        return {NoticePublished: self.publish, NoticeAcknowledged: self.acknowledge}

    def publish(self, event: NoticePublished) -> None:
        """Add a notice and send it to the subscribers."""
        self.add(event)
        self.channel.publish(event)

    def add(self, event: NoticePublished) -> None:
        """Add a notice; the oldest one goes if there are too many."""
        self.by_id[event.notice_id] = event
        if event.replaces in self.by_id:
            self.replaced_by[event.replaces] = event.notice_id
        if len(self.by_id) > KEPT:
            oldest = next(iter(self.by_id))
            for by_number in (self.by_id, self.acknowledged, self.replaced_by):
                by_number.pop(oldest, None)

    def acknowledge(self, event: NoticeAcknowledged) -> None:
        """Record that a member has acknowledged a notice."""
        if event.notice_id in self.by_id:
            self.acknowledged.setdefault(event.notice_id, {})[event.member] = event.at

    def write(self, notice: NoticePublished, member: str | None) -> dict[str, Any]:
        """Return a notice as a member sees it, with whether it has to acknowledge it.

        ``member`` None: as everybody sees it, with ``to_acknowledge`` if members have to acknowledge it.
        """
        written = _write(notice)
        if (newer := self.replaced_by.get(notice.notice_id)) is not None:
            written["replaced_by"] = newer
        if member is None and notice.members is not None:
            written["to_acknowledge"] = newer is None
        if member is not None and member in (notice.members or ()):
            at = self.acknowledged.get(notice.notice_id, {}).get(member)
            written["to_acknowledge"] = at is None and newer is None
            if at is not None:
                written["acknowledged_at"] = at
        return written

    def of_member(self, notice_id: int, member: str) -> dict[str, Any]:
        """Return a notice as a member sees it; of one that is no longer kept the number alone."""
        notice = self.by_id.get(notice_id)
        return {"notice_id": notice_id} if notice is None else self.write(notice, member)

    def write_answers(self, notice: NoticePublished, members: Mapping[str, Collection[str]]) -> dict[str, Any]:
        """Return a notice with the members that have acknowledged it, and those that have still to, for operators.

        ``members`` has the accounts in use by member: a member without one cannot acknowledge anything.
        """
        answers = self.acknowledged.get(notice.notice_id, {})
        missing = [name for name in notice.members or () if name not in answers and members.get(name)]
        return {
            **self.write(notice, None),
            "by": notice.by,
            "acknowledged": [{"member": name, "at": at} for name, at in answers.items()],
            "missing": missing if notice.notice_id not in self.replaced_by else [],
        }


def _write(event: NoticePublished) -> dict[str, Any]:
    """Return what everybody sees of a notice: who wrote it and who has to acknowledge it is for the venue."""
    written = write_event(event)
    for name in ("event", "sequence", "by", "members"):
        written.pop(name, None)
    return written


def _content(event: NoticePublished) -> Content:
    return Content(event.at, _write(event) | {"to_acknowledge": event.members is not None})
