"""Authentication by registered keys: log-on over the WebSocket, bearer tokens over REST."""

import secrets
import time
from typing import Final

import jwt
from sqlalchemy.ext.asyncio import AsyncEngine

from api.edge.tokens import key_id_of_token, verify_bearer_token, verify_signature
from goldx.protocol.units import BadValue
from settlement.base.registry import Principal, find_principal, is_member

__all__ = ["CACHE_SECONDS", "Authenticator", "NotAuthentic", "Principal", "new_nonce"]

CACHE_SECONDS: Final = 3.0
"""A revoked key is still accepted for at most this long."""


class NotAuthentic(Exception):
    """Raised when a token or signature is not one of a registered key."""


def new_nonce() -> str:
    """Return 64 random hexadecimal characters."""
    return secrets.token_hex(32)


class Authenticator:
    """Finds the principal of a key in the registry (SQL), and caches it for CACHE_SECONDS."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._cache: dict[str, tuple[Principal, float]] = {}
        """By key id: the principal, and the monotonic time at which it is to be looked up again."""

    async def principal(self, key_id: str) -> Principal | None:
        """Return the holder of a key, or None if the key is unknown or revoked. Raises SQLAlchemyError and OSError."""
        cached = self._cache.get(key_id)
        if cached is not None and time.monotonic() < cached[1]:
            return cached[0]
        self._cache.pop(key_id, None)
        found = await find_principal(self._engine, key_id)
        if found is not None:
            self._cache[key_id] = (found, time.monotonic() + CACHE_SECONDS)
        return found

    async def is_member(self, code: str) -> bool:
        """Return whether a member firm is registered. Raises SQLAlchemyError and OSError."""
        return await is_member(self._engine, code)

    async def log_on(self, key_id: str, nonce: str, signature: str) -> Principal:
        """Return the principal whose key signed the nonce's text. ``signature`` is hexadecimal. Raises NotAuthentic."""
        principal = await self.principal(key_id)
        try:
            signed = bytes.fromhex(signature)
        except ValueError:
            signed = b""
        if principal is None or not verify_signature(principal.public_key, signed, nonce.encode()):
            raise NotAuthentic("the key is not registered, or the signature is not its own over the nonce")
        return principal

    async def bearer(self, authorization: str | None) -> Principal:
        """Return the principal of an ``Authorization: Bearer`` header. Raises NotAuthentic."""
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
