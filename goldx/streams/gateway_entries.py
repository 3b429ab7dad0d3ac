"""The entries of a shard's gateways on Redis or Valkey, by which a lost gateway is noticed.

A gateway changes its entry in a hash twice a second (``api.sessions.gateway_lease``). Whoever reads an entry unchanged
many times in a row removes it, and closes the sessions of that gateway. Gateways watch each other, and the engine that
leads watches them all (``matching.run.left_sessions``). Reads are counted, not seconds, so that an outage of the
server, or a pause of the watcher itself, does not make gateways count as lost.
"""

from typing import Any, Final

from redis.asyncio import Redis

from goldx.streams.keys import Keys
from goldx.streams.registrations import REMOVE_IF

BEAT_SECONDS: Final = 0.5
"""How often a gateway changes its entry, and a watcher reads all entries."""
LOST_READS: Final = 20
"""Reads in which an entry must be unchanged before its gateway counts as lost."""
STOPPED: Final = b"stopped"
"""The entry of a gateway that has stopped cleanly and left sessions in their grace."""


class GatewayEntries:
    """The entries as one watcher sees them. ``patience``: reads for which it leaves a lost gateway to other watchers.

    Every method raises redis' errors.
    """

    def __init__(self, redis: Redis, keys: Keys, patience: int = 0) -> None:
        self._redis = redis
        self._key = keys.gateways
        self._patience = patience
        self._remove = redis.register_script(REMOVE_IF)
        self._seen: dict[str, tuple[bytes, int]] = {}
        """By gateway: its entry, and the number of reads in which it was unchanged."""

    async def read(self) -> dict[str, bytes]:
        """Return the entries by gateway."""
        found: dict[Any, Any] = await self._redis.hgetall(self._key)
        return {name.decode(): entry for name, entry in found.items()}

    async def take_lost(self, entries: dict[str, bytes]) -> list[str]:
        """Count a read of these entries, remove those of lost gateways, and return their names.

        The server lets one watcher remove an entry; a name is not returned to the others.
        """
        for name in self._seen.keys() - entries.keys():
            del self._seen[name]
        lost = []
        for name, entry in entries.items():
            former, reads = self._seen.get(name, (b"", 0))
            self._seen[name] = (entry, reads + 1 if former == entry else 0)
            enough = self._patience if entry == STOPPED else LOST_READS + self._patience
            if self._seen[name][1] >= enough and await self._remove(keys=[self._key], args=[name, entry]):
                lost.append(name)
        return lost

    def forget(self) -> None:
        """Begin to count anew: the server was away, and the gateways could not change their entries."""
        self._seen.clear()
