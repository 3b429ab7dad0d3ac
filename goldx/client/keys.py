"""Ed25519 keys of members and staff: whoever holds the private key is the principal; the exchange knows public keys.

A key file is a PKCS#8 PEM block under a line that names the key, readable by its owner alone::

    key-id: FIRM-A.algo-1
    -----BEGIN PRIVATE KEY-----
    ...
"""

import os
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from goldx.protocol.units import BadValue, parse_identifier

AUDIENCE: Final = "goldx"
TOKEN_SECONDS: Final = 60
"""The longest life of a bearer token; a client signs a new one for every few requests."""
SIGNATURE_BYTES: Final = 64


class Key(NamedTuple):
    """A private key and the id under which the exchange knows its public half."""

    key_id: str
    private: Ed25519PrivateKey

    @classmethod
    def generate(cls, key_id: str) -> "Key":
        """Return a new key. Raises BadValue for a key id that is not an identifier."""
        return cls(parse_identifier(key_id, "key_id"), Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Key":
        """Read a key file. Raises OSError, or BadValue when it is not one."""
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
        """Write a key file, readable by its owner alone. Raises FileExistsError rather than overwrite a key."""
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
        """Return the 64 bytes of the Ed25519 signature over a message."""
        return self.private.sign(message)

    def bearer_token(self) -> str:
        """Return a JSON Web Token for REST (``Authorization: Bearer``), signed by this key, good for a minute.

        Source: RFC 7519, with the algorithm EdDSA of RFC 8037.
        """
        now = int(time.time())
        header = {"alg": "EdDSA", "typ": "JWT", "kid": self.key_id}
        claims = {"aud": AUDIENCE, "sub": self.key_id, "iat": now, "exp": now + TOKEN_SECONDS}
        signed = b".".join(_base64url(msgspec.json.encode(part)) for part in (header, claims))
        return (signed + b"." + _base64url(self.sign(signed))).decode()


def parse_public_key(pem: str) -> bytes:
    """Return the 32 bytes of an Ed25519 public key in PEM, as ``openssl pkey -pubout`` writes it. Raises BadValue."""
    try:
        public = serialization.load_pem_public_key(pem.encode(errors="replace"))
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        allowed = "the public half of an Ed25519 key in PEM (BEGIN PUBLIC KEY)"
        raise BadValue("public_key", pem.partition("\n")[0][:40], allowed)
    return public.public_bytes_raw()


def fingerprint(public_bytes: bytes) -> str:
    """Return the fingerprint of a public key for people to compare: the SHA-256 of its DER form, in hexadecimal."""
    public = Ed25519PublicKey.from_public_bytes(public_bytes)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(der).hexdigest()


def parse_signature(data: bytes) -> bytes:
    """Return the 64 bytes of an Ed25519 signature, given as bytes or as hexadecimal digits. Raises BadValue."""
    if len(data) == SIGNATURE_BYTES:
        return data
    try:
        signature = bytes.fromhex(data.decode())
    except ValueError:
        signature = b""
    if len(signature) != SIGNATURE_BYTES:
        raise BadValue("signature", f"{len(data)} bytes", "an Ed25519 signature: 64 bytes, or 128 hexadecimal digits")
    return signature


def verify_signature(public_bytes: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether the key with this public half made a signature over a message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_bytes).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
