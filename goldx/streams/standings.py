"""Notices on Redis or Valkey that a member, one of the staff or a key was suspended or ended.

They reach every gateway even while the database is away. A gateway that reads one ends the sessions, and writes it into
the register in the database if it is not there yet. A notice applies as long as it is here: the end of a suspension
writes its notices into the register and removes them. Notices that have long been in the register are dropped after
KEPT_MS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from goldx.streams.keys import Keys

KEPT_MS: Final = 30 * 86_400_000


class Notice(NamedTuple):
    """A change of standing: of what ``kind`` (member, staff or key) with which code, to which status, by whom, why.

    ``at`` is in ms since the epoch. No two changes have the same ``change_id``.
    """

    change_id: str
    kind: str
    code: str
    status: str
    by: str
    reason: str
    at: int

    @property
    def subject(self) -> tuple[str, str]:
        """Kind and code of the suspended or ended member, person or key."""
        return self.kind, self.code


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Notice).decode


async def publish_notice(redis: Redis, keys: Keys, notice: Notice) -> None:
    """Make a notice known to every gateway of the shard. Raises redis' errors."""
    await redis.hset(keys.notices, notice.change_id, _encode(notice).decode())


async def read_notices(redis: Redis, keys: Keys) -> dict[str, Notice]:
    """Return the notices by their ids. Raises redis' errors, and msgspec's for what another version has written."""
    found: dict[Any, Any] = await redis.hgetall(keys.notices)
    return {change_id.decode(): _decode(data) for change_id, data in found.items()}


async def drop_notices(redis: Redis, keys: Keys, change_ids: list[str]) -> None:
    """Remove notices that the register has. Raises redis' errors."""
    if change_ids:
        await redis.hdel(keys.notices, *change_ids)
