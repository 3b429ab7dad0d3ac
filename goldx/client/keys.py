"""Ed25519 keys of members and staff: the holder of the private key is the principal; we know public keys only.

A key file is a PKCS#8 PEM block under a line that names the key, readable by its owner alone::

    key-id: FIRM-A.algo-1
    -----BEGIN PRIVATE KEY-----
    ...
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

import jwt
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from goldx.protocol.units import BadValue, parse_identifier

AUDIENCE = "goldx"
TOKEN_SECONDS = 60
"""The longest life of a bearer token; its maker signs a new one for every few requests."""


class Key(NamedTuple):
    """A private key and the id under which the exchange knows its public half."""

    key_id: str
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls, key_id: str) -> "Key":
        """A new key. Raises BadValue for a key id that is not an identifier."""
        return cls(parse_identifier(key_id, "key_id"), Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Key":
        """Reads a key file. Raises OSError, or BadValue when it is not one."""
        text = Path(path).read_bytes()
        first, _, pem = text.partition(b"\n")
        label, _, key_id = first.decode(errors="replace").partition(":")
        if label.strip() != "key-id":
            raise BadValue("key file", str(path), "a PEM private key under a line 'key-id: NAME'")
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except ValueError:
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise BadValue("key file", str(path), "an unencrypted Ed25519 private key in PEM")
        return cls(parse_identifier(key_id.strip(), "key-id"), private)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a key file, readable by its owner alone. Raises FileExistsError rather than overwrite a key."""
        pem = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(f"key-id: {self.key_id}\n".encode() + pem)

    @property
    def public_bytes(self) -> bytes:
        """The 32 bytes of the public half."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature."""
        return self.private.sign(message)

    def bearer_token(self) -> str:
        """A JWT for REST (``Authorization: Bearer``), signed by this key, good for a minute."""
        now = int(time.time())
        claims = {"aud": AUDIENCE, "sub": self.key_id, "iat": now, "exp": now + TOKEN_SECONDS}
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers={"kid": self.key_id})


def verify(public_bytes: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature over a message is that key's."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_bearer_token(public_bytes: bytes, token: str) -> None:
    """Checks signature, audience and times of a token, and that it lives no longer than TOKEN_SECONDS.

    Raises jwt.InvalidTokenError.
    """
    key = Ed25519PublicKey.from_public_bytes(public_bytes)
    claims = jwt.decode(
        token, key, algorithms=["EdDSA"], audience=AUDIENCE, leeway=5, options={"require": ["exp", "iat", "aud"]}
    )
    if claims["exp"] - claims["iat"] > TOKEN_SECONDS:
        raise jwt.InvalidTokenError(f"the token lives longer than {TOKEN_SECONDS} seconds")


def key_id_of_token(token: str) -> str:
    """Which key a token claims to be signed by; nothing is verified yet. Raises jwt.InvalidTokenError or BadValue."""
    return parse_identifier(jwt.get_unverified_header(token).get("kid"), "kid")
