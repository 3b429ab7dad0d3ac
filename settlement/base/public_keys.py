"""Public halves of Ed25519 keys as members send them: reading, and checking that a key pair can have them.

Three forms are read: the request that ``python -m goldx.client.new_key`` prints, which names the key and its member and
is signed by the key; a PEM block ``PUBLIC KEY``, as OpenSSL writes it; and 64 hexadecimal characters.
"""

import re
from typing import Final, NamedTuple

from goldx.client.keys import parse_public_key, parse_signature, verify_signature
from goldx.client.new_key import FIELDS, signed_text
from goldx.protocol.units import BadValue, parse_identifier
from settlement.base.key_points import check_point

LONGEST: Final = 4_096
"""The most characters of a request; a valid one has a tenth of them."""
ALLOWED: Final = "a request of goldx.client.new_key, a PEM block 'PUBLIC KEY' of Ed25519, or 64 hexadecimal characters"
_HEX: Final = re.compile("[0-9a-fA-F]{64}")


class PublicHalf(NamedTuple):
    """A public key of 32 bytes, with the key id and the holder that the request names, if it names them."""

    public_key: bytes
    key_id: str | None = None
    holder: str | None = None


def parse_public_half(text: str) -> PublicHalf:
    """Read what a member has sent. Raises BadValue for another form, a wrong signature, or what is no point."""
    text = text.strip()
    if _HEX.fullmatch(text):
        half = PublicHalf(bytes.fromhex(text))
    elif text.startswith("-----BEGIN PUBLIC KEY-----") and len(text) <= LONGEST:
        half = PublicHalf(parse_public_key(text))
    elif len(text) <= LONGEST:
        half = _of_request(text)
    else:
        raise BadValue("public_key", f"{len(text)} characters", ALLOWED)
    check_point(half.public_key)
    return half


def _of_request(text: str) -> PublicHalf:
    fields = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or name in fields:
            raise BadValue("public_key", text, ALLOWED)
        fields[name] = value.strip()
    if tuple(fields) != FIELDS or not _HEX.fullmatch(fields["public-key"]):
        raise BadValue("public_key", text, ALLOWED)
    key_id, holder = parse_identifier(fields["key-id"], "key-id"), parse_identifier(fields["holder"], "holder")
    public_key = bytes.fromhex(fields["public-key"])
    signature = parse_signature(fields["signature"].encode())
    if not verify_signature(public_key, signature, signed_text(key_id, holder, public_key)):
        raise BadValue("signature", fields["signature"], "the key's own over the other lines of its request")
    return PublicHalf(public_key, key_id, holder)
