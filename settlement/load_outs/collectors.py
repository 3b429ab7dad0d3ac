"""The collector of a load-out: pick-up code and identity document.

Both are kept as salted hashes; of the document's number the last characters are shown, of the name the first one.
"""

from hashlib import scrypt

from goldx.protocol.units import BadValue
from settlement.base.identity_numbers import check_if_resident_id
from settlement.base.texts import masked


def check_code(code: str, again: str) -> None:
    """Raise BadValue, which never shows it, for a pick-up code that is malformed or not the same twice."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 12):
        raise BadValue("pickup_code", "*" * len(code), "6 to 12 digits")
    if code != again:
        raise BadValue("code_again", "*" * len(again), "the same pick-up code once more")


def check_id(number: str) -> None:
    """Raise BadValue, which never shows it, for a number that no identity document has."""
    check_if_resident_id("collector_id", normal_id(number))


def normal_id(number: str) -> str:
    """Return the number of an identity document as it is compared: without blanks, in capitals. Raises BadValue."""
    normal = "".join(number.split()).upper()
    if not 4 <= len(normal) <= 32 or not normal.isascii() or not normal.replace("-", "").isalnum():
        raise BadValue("collector_id", "*" * len(number), "4 to 32 letters, digits and hyphens of an identity paper")
    return normal


def masked_id(number: str) -> str:
    """Return the number of an identity document with all but its last four characters masked, or two of a short one."""
    normal = normal_id(number)
    return masked(normal, 0, 4 if len(normal) > 8 else 2)


def hash_secret(secret: str, salt: bytes) -> bytes:
    """Return the hash that is kept of a pick-up code or of the number of an identity document."""
    return scrypt(secret.encode(), salt=salt, n=2**12, r=8, p=1)
