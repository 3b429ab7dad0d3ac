"""A member's own key pair: ``python -m goldx.client.new_key ALPHA-1 --holder ALPHA --out alpha-1.pem``.

The private half goes into the file, readable by its owner alone, and never leaves the member. The output is the request
for the venue: the public half, the key's id and its holder, signed by the key, so that nobody can register the public
half for somebody else.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from goldx.client.keys import Key
from goldx.protocol.units import BadValue, parse_identifier

FIELDS: Final = ("key-id", "holder", "public-key", "signature")
"""The lines of a request, each ``name: value``, in this order."""


def signed_text(key_id: str, holder: str, public_key: bytes) -> bytes:
    """Return the bytes that a request's signature covers; no nonce and no token has this form."""
    return f"goldx key request\n{key_id}\n{holder}\n{public_key.hex()}".encode()


def request_of(key: Key, holder: str) -> str:
    """Return the request to register a key's public half for its holder. Raises BadValue for a code that is none."""
    signature = key.sign(signed_text(key.key_id, parse_identifier(holder, "holder"), key.public_bytes))
    values = (key.key_id, holder, key.public_bytes.hex(), signature.hex())
    return "".join(f"{name}: {value}\n" for name, value in zip(FIELDS, values, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a key pair and print the request."""
    parser = argparse.ArgumentParser(prog="python -m goldx.client.new_key", description="Make a key pair for GoldX.")
    parser.add_argument("key_id", help="the name of the key, such as ALPHA-1")
    parser.add_argument("--holder", required=True, help="the code of the member, or of the one of the staff")
    parser.add_argument("--out", required=True, type=Path, help="file for the private half; must not exist")
    given = parser.parse_args(arguments)
    try:
        key = Key.generate(given.key_id)
        request = request_of(key, given.holder)
        key.save(given.out)
    except (BadValue, OSError) as error:
        parser.error(str(error))
    sys.stdout.write(request)


if __name__ == "__main__":
    main()
