"""Reading the register of keys over a separate connection, for a gateway that reads it all the time.

So a read never waits for the connection pool. After a few seconds without an answer the connection is dropped.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy.engine import make_url

from goldx.streams.standings import KEPT_MS
from settlement.base.database import now_ms
from settlement.base.registry import Principal
from settlement.base.standings import NAMES, TABLES
from settlement.documents.registered import ACTIVE

READ_SECONDS: Final = 2.0

_LIVE: Final = f"""
SELECT k.key_id, k.public_key, k.member, k.staff, k.permissions FROM api_key k
LEFT JOIN member m ON m.member = k.member LEFT JOIN staff s ON s.staff = k.staff
WHERE k.status = '{ACTIVE}' AND coalesce(m.status, s.status) = '{ACTIVE}'
"""
_STOPPED: Final = f"""
SELECT m.member, (SELECT c.changed_by FROM standing_change c WHERE c.kind = 'member' AND c.code = m.member
ORDER BY c.change_number DESC LIMIT 1) FROM member m WHERE m.status <> '{ACTIVE}'
"""
_STOPPED_KEYS: Final = f"""
SELECT k.key_id, k.member FROM api_key k WHERE k.status <> '{ACTIVE}' AND k.member IS NOT NULL
AND EXISTS (SELECT FROM standing_change c WHERE c.kind = 'key' AND c.code = k.key_id AND c.changed_at > $1)
"""
# The sum of the transactions that wrote the rows changes with every row that is written.
_STATE: Final = "SELECT " + ", ".join(
    f"(SELECT count(*) FROM {table}), (SELECT sum(xmin::text::bigint) FROM {table})"
    for table in ("api_key", "member", "staff")
)


class RegisterAway(ConnectionError):
    """Raised when the register of keys cannot be read now."""


class KnownKeys(NamedTuple):
    """The keys that may be used, by key id, and who suspended or ended each member that is not in use.

    ``stopped_keys``: the members of keys that were suspended or revoked not so long ago.
    """

    principals: dict[str, Principal]
    stopped: dict[str, str]
    stopped_keys: dict[str, str]


class KeyReader:
    """Reads the keys that may be used: neither they nor their holders are suspended or ended."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._options: Mapping[str, Any] = parsed.get_dialect()().create_connect_args(parsed)[1]
        self._connection: Any = None
        self._state: object = None

    async def read(self) -> KnownKeys | None:
        """Return what is known, or None if nothing has changed since the last call. Raises RegisterAway."""
        state = tuple((await self._fetch(_STATE))[0])
        if state == self._state:
            return None
        live = await self._fetch(_LIVE)
        stopped = await self._fetch(_STOPPED)
        stopped_keys = await self._fetch(_STOPPED_KEYS, now_ms() - KEPT_MS)
        self._state = state
        return KnownKeys(
            {row[0]: Principal(row[0], row[1], row[2], row[3], frozenset(row[4])) for row in live},
            {row[0]: row[1] for row in stopped},
            {row[0]: row[1] for row in stopped_keys},
        )

    async def status(self, kind: str, code: str) -> str | None:
        """Return the standing of a member, one of the staff or a key; None if it is unknown. Raises RegisterAway."""
        query = f"SELECT status FROM {TABLES[kind].name} WHERE {NAMES[kind]} = $1"
        found = await self._fetch(query, code)
        return found[0][0] if found else None

    async def ping(self) -> None:
        """Raise RegisterAway if the database does not answer."""
        await self._fetch("SELECT 1")

    async def _fetch(self, query: str, *values: str | int) -> list[Any]:
        watchdog = asyncio.get_running_loop().call_later(2 * READ_SECONDS, self.close)
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(**self._options, timeout=READ_SECONDS)
            return list(await self._connection.fetch(query, *values))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            self.close()
            raise RegisterAway(f"the register of keys is not reachable ({type(error).__name__}: {error})") from error
        finally:
            watchdog.cancel()

    def close(self) -> None:
        """Drop the connection. A read that is under way raises RegisterAway."""
        if self._connection is not None:
            self._connection.terminate()
