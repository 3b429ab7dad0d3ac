"""The events of the venue's notices to its members."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class NoticePublished(Event, tag=60, frozen=True):
    """A notice to everybody. ``notice_id`` counts from 1 per shard.

    ``members``: who has to acknowledge it, None if nobody has to. ``replaces``: the notice that it takes the place of.
    """

    event: ClassVar[str] = "notice.published"
    notice_id: int
    title: str
    text: str
    title_zh: str | None
    text_zh: str | None
    by: str
    members: tuple[str, ...] | None = None
    replaces: int | None = None


class NoticeAcknowledged(Event, tag=61, frozen=True):
    """A member has taken note of a notice, through one of its accounts."""

    event: ClassVar[str] = "notice.acknowledged"
    account: str
    member: str
    notice_id: int


NoticeEvent: TypeAlias = NoticePublished | NoticeAcknowledged
