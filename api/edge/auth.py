"""Authentication by registered keys: log-on over the WebSocket, bearer tokens over REST."""

import contextlib
import secrets
from collections.abc import Callable
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.edge.key_register import KeyRegister
from api.edge.tokens import key_id_of_token, verify_bearer_token
from goldx.client.keys import verify_signature
from goldx.protocol.units import BadValue
from settlement.base.registry import Principal

__all__ = ["Authenticator", "NotAuthentic", "Principal", "new_nonce"]


NOBODY: Final = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
"""A public key of nobody. Signatures of unknown keys are checked against it, to take as long as those of known ones."""


class NotAuthentic(Exception):
    """Raised when a token or signature is not one of a registered key."""


def new_nonce() -> str:
    """Return 64 random hexadecimal characters."""
    return secrets.token_hex(32)


class Authenticator:
    """Checks signatures against the registered keys.

    Before NotAuthentic is raised the register is read once more, as the key may just have been registered; RegisterAway
    is raised if that is not possible. Known and unknown keys are refused in the same way.
    """

    def __init__(self, register: KeyRegister) -> None:
        self._register = register

    async def log_on(self, key_id: str, nonce: str, signature: str) -> Principal:
        """Return the principal whose key signed the nonce's text. ``signature`` is hexadecimal."""
        try:
            signed = bytes.fromhex(signature)
        except ValueError:
            signed = b""

        def check(public_key: bytes) -> None:
            if not verify_signature(public_key, signed, nonce.encode()):
                raise NotAuthentic("the key is not registered, or the signature over the nonce is not by this key")

        return await self._checked(key_id, check)

    async def bearer(self, authorization: str | None) -> Principal:
        """Return the principal of an ``Authorization: Bearer`` header."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthentic("a header 'Authorization: Bearer TOKEN' is needed, the token signed by a registered key")

        def check(public_key: bytes) -> None:
            try:
                verify_bearer_token(public_key, token)
            except jwt.InvalidTokenError as error:
                raise NotAuthentic(f"the token is not valid: {error}") from error

        try:
            key_id = key_id_of_token(token)
        except (jwt.InvalidTokenError, BadValue) as error:
            raise NotAuthentic(f"the token is not valid: {error}") from error
        return await self._checked(key_id, check)

    async def _checked(self, key_id: str, check: Callable[[bytes], None]) -> Principal:
        """Return the principal of a key if ``check`` accepts its public key; if not, ``check`` raises NotAuthentic."""
        with contextlib.suppress(NotAuthentic):
            return _check(self._register.find(key_id), check)
        return _check(await self._register.look_up(key_id), check)


def _check(principal: Principal | None, check: Callable[[bytes], None]) -> Principal:
    check(NOBODY if principal is None else principal.public_key)
    if principal is None:
        raise NotAuthentic("the key is not registered")
    return principal
