"""Keys of requests: a request that is repeated under its key gets the first answer, and is not carried out again.

The key, the request's hash and the answer are written in the request's own transaction, so that all or none of its
effects exist. A request can contain a pick-up code, whose few digits are easy to guess from a plain hash; so the hash
is salted and slow, like that of the code itself.
"""

import asyncio
import hmac
import secrets
from hashlib import scrypt, sha256
from typing import Final, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.tables.base import request_key

KEPT_DAYS: Final = 30
"""Days for which an answer is kept."""
LONGEST_KEY: Final = 64


class KeptAnswer(NamedTuple):
    """The answer to a request: HTTP status and body."""

    status: int
    body: str


async def begin(connection: AsyncConnection, holder: str, key: str, request: bytes) -> KeptAnswer | None:
    """Take a key for a request; return the earlier answer if the same request was answered under it before.

    If another transaction is using the key, this waits for its end. Raises BadValue for a malformed key, Refused
    (KEY_REUSED) if the key belongs to another request.
    """
    printable("Idempotency-Key", key, LONGEST_KEY)
    salt = secrets.token_bytes(16)
    row = {"holder": holder, "key": key, "salt": salt, "request": await _hash(request, salt), "at": now_ms()}
    taken = insert_or(request_key).values(row).on_conflict_do_nothing().returning(request_key.c.key)
    if await connection.scalar(taken) is not None:
        return None
    mine = (request_key.c.holder == holder, request_key.c.key == key)
    before = (await connection.execute(select(request_key).where(*mine))).one()
    if not hmac.compare_digest(before.request, await _hash(request, before.salt)):
        raise Refused("KEY_REUSED", f"key {key} was given with another request; each request needs a key of its own")
    return KeptAnswer(before.status, before.answer)


async def finish(connection: AsyncConnection, holder: str, key: str, answer: KeptAnswer) -> None:
    """Store the answer of the request that has taken the key, in the same transaction."""
    mine = (request_key.c.holder == holder, request_key.c.key == key)
    await connection.execute(update(request_key).where(*mine).values(status=answer.status, answer=answer.body))


async def forget(connection: AsyncConnection) -> None:
    """Delete the keys that are older than KEPT_DAYS."""
    oldest = now_ms() - KEPT_DAYS * 86_400_000
    await connection.execute(delete(request_key).where(request_key.c.at < oldest))


async def _hash(request: bytes, salt: bytes) -> bytes:
    digest = sha256(request).digest()
    return await asyncio.to_thread(scrypt, digest, salt=salt, n=2**12, r=8, p=1)
