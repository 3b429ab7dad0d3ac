"""Keys of operators' requests: a command that is asked for again under its key is placed once and answered as before.

Keys and answers are kept on the journal's server, since operators' commands are taken while the database is away. A key
is written there before its command, so a failover that keeps the command keeps the key.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.edge.outcome import Refusal
from goldx.protocol.units import BadValue
from goldx.streams.keys import Keys
from settlement.base.request_keys import KEPT_DAYS, LONGEST_KEY, KeptAnswer
from settlement.base.texts import printable

log = structlog.get_logger()

KEPT_SECONDS: Final = KEPT_DAYS * 86_400
WAIT_SECONDS: Final = 15.0
"""How long a request waits for its answer, and a repeated one for the answer to the first."""
PAUSE_SECONDS: Final = 0.05


class _Taken(NamedTuple):
    """A key that was taken: the hash of its request, and the answer once there is one."""

    request: str
    answer: KeptAnswer | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Taken).decode


class CommandKeys:
    """The keys of operators' requests at the gateways of a shard."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._working: set[asyncio.Task[KeptAnswer]] = set()

    async def once(
        self, holder: str, key: str, content: bytes, place: Callable[[], Awaitable[KeptAnswer]]
    ) -> tuple[KeptAnswer, bool]:
        """Return the answer of ``place``, or the answer to the same request before, and whether it is an earlier one.

        ``content`` is what is compared of a request. ``place`` raises BadValue or Refusal if it has placed nothing; the
        key is free again then. Raises what it raises; BadValue for a malformed key; Refusal: KEY_REUSED for a key of
        another request, KEY_UNANSWERED if the first request has no answer; TimeoutError if ``place`` takes too long.
        """
        printable("Idempotency-Key", key, LONGEST_KEY)
        name = self._keys.command_key(holder, key)
        hashed = sha256(content).hexdigest()
        before = await self._take(name, key, hashed)
        if before is not None:
            return before, True
        working = asyncio.create_task(self._answer(name, hashed, place))
        self._working.add(working)
        working.add_done_callback(self._ended)
        return await asyncio.wait_for(asyncio.shield(working), WAIT_SECONDS), False

    async def _take(self, name: str, key: str, hashed: str) -> KeptAnswer | None:
        """Take a key, or wait for the answer that was given under it."""
        clock = asyncio.get_running_loop().time
        until = clock() + WAIT_SECONDS
        while not await self._redis.set(name, _encode(_Taken(hashed)), nx=True, ex=KEPT_SECONDS):
            found = await self._redis.get(name)
            if found is None:
                continue
            taken = _decode(found)
            if taken.request != hashed:
                text = f"key {key} was given with another request; each request needs a key of its own"
                raise Refusal("KEY_REUSED", text)
            if taken.answer is not None:
                return taken.answer
            if clock() >= until:
                text = f"the first request under key {key} has no answer; the audit log has it if it was carried out"
                raise Refusal("KEY_UNANSWERED", text)
            await asyncio.sleep(PAUSE_SECONDS)
        return None

    async def _answer(self, name: str, hashed: str, place: Callable[[], Awaitable[KeptAnswer]]) -> KeptAnswer:
        """Place the command and keep the answer, however long that takes."""
        try:
            answer = await place()
        except (BadValue, Refusal):
            await self._redis.delete(name)
            raise
        try:
            await self._redis.set(name, _encode(_Taken(hashed, answer)), ex=KEPT_SECONDS)
        except (RedisError, OSError) as error:
            log.warning("an answer cannot be kept for a repeated request", error=str(error))
        return answer

    def _ended(self, working: asyncio.Task[KeptAnswer]) -> None:
        self._working.discard(working)
        if not working.cancelled() and (error := working.exception()) is not None:
            log.info("a request with a key was not carried out", reason=str(error))
