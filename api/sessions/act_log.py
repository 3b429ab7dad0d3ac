"""The acts of people at a gateway, on their way to the audit log: log-ons, failed ones, ends, commands.

An operator's command is recorded, with its reason, before it goes to the journal; if that fails it is not placed.
Log-ons and ends of sessions are recorded in the order in which they happen. In a flood of failed log-ons only some are
recorded, each with the number of unrecorded ones before it.
"""

import asyncio
import itertools
import time
from collections import deque
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.edge.allowance import TokenBucket
from api.edge.auth import Principal
from api.edge.outcome import Refusal
from api.sessions.session import Session
from goldx.protocol.commands import BY_METHOD, AnyCommand
from goldx.protocol.units import BadValue
from goldx.protocol.wire import write_command
from goldx.retry import is_any_of, retry
from goldx.streams.acts import RecordedAct, append_act
from goldx.streams.keys import Keys

log = structlog.get_logger()

FAILURES_A_SECOND: Final = 1
FAILURES_AT_ONCE: Final = 100
"""Failed log-ons that a gateway records at once, from all addresses together."""
LONGEST_REASON: Final = 200
MOST_WAITING: Final = 100_000
RETRY_SECONDS: Final = 0.5


def take_reason(method: str, params: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the parameters of an operator's command, and its reason. Raises BadValue.

    The reason stays among the parameters only if the command has such a field.
    """
    reason = params.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise BadValue("reason", reason, f"1 to {LONGEST_REASON} printable characters, for the audit log")
    own = "reason" in BY_METHOD[method].__struct_fields__
    return {name: value for name, value in params.items() if own or name != "reason"}, reason.strip()


class ActLog:
    """Records acts at one gateway."""

    def __init__(self, redis: Redis, keys: Keys, gateway: str) -> None:
        self._redis = redis
        self._keys = keys
        self._gateway = gateway
        self._waiting: deque[RecordedAct] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._appending = asyncio.Lock()
        self._failures = TokenBucket(FAILURES_A_SECOND, FAILURES_AT_ONCE, time.monotonic())
        self._unrecorded = 0

    def logged_on(self, session: Session, principal: Principal) -> None:
        """Record a log-on."""
        detail = {"session": session.name, "address": session.address}
        self._add(principal.staff or str(principal.member), "session.log_on", principal.key_id, detail)

    def failed(self, session: Session, key_id: str, why: str) -> None:
        """Record a log-on that was refused."""
        log.info("a log-on was refused", key_id=key_id, address=session.address, reason=why)
        if self._failures.take(time.monotonic()):
            self._failures.spend(time.monotonic(), -1)  # even during a flood one is recorded every second
            self._unrecorded += 1
            return
        detail: dict[str, Any] = {"address": session.address, "reason": why}
        if self._unrecorded:
            detail["unrecorded_before"], self._unrecorded = self._unrecorded, 0
        self._add("unknown", "session.refused", key_id, detail)

    def ended(self, session: Session, principal: Principal) -> None:
        """Record the end of a session that was logged on."""
        detail = {"session": session.name, "address": session.address, "reason": session.end_reason}
        self._add(principal.staff or str(principal.member), "session.end", principal.key_id, detail)

    async def command(self, principal: Principal, command: AnyCommand, reason: str) -> None:
        """Record an operator's command before it is placed. Raises Refusal (UNAVAILABLE)."""
        written = write_command(command)
        params = written["params"]
        subject = next((str(params[name]) for name in ("symbol", "account", "member") if params.get(name)), "market")
        detail = {"key_id": principal.key_id, "reason": reason, "params": params}
        try:
            await append_act(self._redis, self._keys, self._act(str(principal.staff), command.method, subject, detail))
        except (RedisError, OSError) as error:
            log.warning("an operator's command cannot be recorded", error=str(error))
            text = "the command cannot be recorded at the moment, and was not placed"
            raise Refusal("UNAVAILABLE", text, retry_after_ms=1_000) from error

    async def run(self) -> None:
        """Append the waiting acts, until cancelled."""
        while True:
            await self._wake.wait()
            await retry(self.drain, is_any_of(RedisError, OSError), itertools.repeat(RETRY_SECONDS))

    async def drain(self) -> None:
        """Append the waiting acts. Raises redis' errors; acts that were not appended keep waiting."""
        async with self._appending:
            self._wake.clear()
            while self._waiting:
                act = self._waiting[0]
                await append_act(self._redis, self._keys, act)
                if self._waiting[0] is act:  # else it was dropped meanwhile for a newer one
                    self._waiting.popleft()

    def _add(self, actor: str, action: str, subject: str, detail: dict[str, Any]) -> None:
        self._waiting.append(self._act(actor, action, subject, detail))
        self._wake.set()

    def _act(self, actor: str, action: str, subject: str, detail: dict[str, Any]) -> RecordedAct:
        at = time.time_ns() // 1_000_000
        return RecordedAct(at, actor, action, subject, {"gateway": self._gateway, **detail})
