"""Who is there: keys of members and staff, for log-on over the WebSocket and bearer tokens over REST."""

import secrets
import time
from typing import Final

import jwt
from sqlalchemy.ext.asyncio import AsyncEngine

from api.edge.tokens import key_id_of_token, verify_bearer_token, verify_signature
from goldx.protocol.units import BadValue
from settlement.base.registry import Principal, find_principal

CACHE_SECONDS: Final = 3.0
"""A key that is revoked works on for so long at most."""


class NotAuthentic(Exception):
    """The token or signature is not one of a registered key."""


def new_nonce() -> str:
    """64 hexadecimal characters that were never used before."""
    return secrets.token_hex(32)


class Authenticator:
    """Finds principals in SQL and remembers them for CACHE_SECONDS."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[Principal, float]] = {}

    async def principal(self, key_id: str) -> Principal | None:
        """The holder of a key, None if it is unknown or revoked. Raises SQLAlchemy's errors and OSError."""
        known = self._known.get(key_id)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        self._known.pop(key_id, None)
        found = await find_principal(self._engine, key_id)
        if found is not None:
            self._known[key_id] = (found, time.monotonic() + CACHE_SECONDS)
        return found

    async def log_on(self, key_id: str, nonce: str, signature: str) -> Principal:
        """Checks the hexadecimal signature over the nonce's text. Raises NotAuthentic."""
        principal = await self.principal(key_id)
        try:
            signed = bytes.fromhex(signature)
        except ValueError:
            signed = b""
        if principal is None or not verify_signature(principal.public_key, signed, nonce.encode()):
            raise NotAuthentic("the key is not registered, or the signature is not its own over the nonce")
        return principal

    async def bearer(self, authorization: str | None) -> Principal:
        """The principal of an ``Authorization: Bearer`` header. Raises NotAuthentic."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthentic("a header 'Authorization: Bearer TOKEN' is needed, the token signed by a registered key")
        try:
            principal = await self.principal(key_id_of_token(token))
            if principal is None:
                raise NotAuthentic("the token's key is not registered")
            verify_bearer_token(principal.public_key, token)
        except (jwt.InvalidTokenError, BadValue) as error:
            raise NotAuthentic(f"the token is not valid: {error}") from error
        return principal
