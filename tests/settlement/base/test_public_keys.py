"""Public halves as members send them: three forms, and points that no key pair has."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from goldx.client.keys import Key
from goldx.client.new_key import request_of
from goldx.protocol.units import BadValue
from settlement.base.key_points import check_point
from settlement.base.public_keys import PublicHalf, parse_public_half

P = 2**255 - 19
SMALL_ORDER = (
    0,
    1,
    P - 1,
    2**255,
    2707385501144840649318225287225658788936804267575313519463743609750303021,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
    2707385501144840649318225287225658788936804267575313519463743609750303021 + 2**255,
    55188659117513257062467267217118295137698188065244968500265048394206261417927 + 2**255,
)
"""The encodings of the eight points whose order divides 8, by their y and the sign of x."""


def encoded(number: int) -> bytes:
    return number.to_bytes(32, "little")


@pytest.mark.parametrize("number", SMALL_ORDER)
def test_a_point_of_small_order_is_no_key(number: int) -> None:
    with pytest.raises(BadValue, match="prime order"):
        check_point(encoded(number))


def test_what_is_no_point_is_no_key() -> None:
    """No point has y = 2; y = p + 1 is another encoding of y = 1; x = 0 has no sign."""
    for data in (encoded(2), encoded(P + 1), encoded(1 + 2**255), bytes([255]) * 32, b"", bytes(31), bytes(33)):
        with pytest.raises(BadValue, match="public_key"):
            check_point(data)


def test_the_sum_of_a_key_and_a_point_of_small_order_is_no_key() -> None:
    """The point (-x, -y) is (x, y) plus the point of order 2: on the curve, and not of prime order."""
    half = Key.generate("k").public_bytes
    check_point(half)
    number = int.from_bytes(half, "little")
    sign, y = number >> 255, number % 2**255
    with pytest.raises(BadValue, match="prime order"):
        check_point(encoded((P - y) + ((1 - sign) << 255)))


def test_every_form_gives_the_same_key() -> None:
    key = Key.generate("ALPHA-1")
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (key.public_bytes.hex(), key.public_bytes.hex().upper() + "\n", pem):
        assert parse_public_half(text) == PublicHalf(key.public_bytes)
    assert parse_public_half(request_of(key, "ALPHA")) == PublicHalf(key.public_bytes, "ALPHA-1", "ALPHA")


def test_a_request_is_refused_where_anything_of_it_was_changed() -> None:
    key, other = Key.generate("ALPHA-1"), Key.generate("ALPHA-2")
    request = request_of(key, "ALPHA")
    for changed in (
        request.replace("ALPHA-1", "ALPHA-9"),
        request.replace("holder: ALPHA", "holder: BETA"),
        request.replace(key.public_bytes.hex(), other.public_bytes.hex()),
    ):
        with pytest.raises(BadValue, match="signature"):
            parse_public_half(changed)
    lines = request.splitlines()
    for text in ("", "x", "a" * 5_000, request + request, "\n".join(lines[:3]), "\n".join(reversed(lines))):
        with pytest.raises(BadValue, match="public_key"):
            parse_public_half(text)
    private = "-----BEGIN PUBLIC KEY-----\nMAo=\n-----END PUBLIC KEY-----"
    with pytest.raises(BadValue, match="public_key"):
        parse_public_half(private)


def test_a_member_makes_its_own_key_pair(tmp_path: Path) -> None:
    """A file that is there is not overwritten."""
    file = tmp_path / "alpha-1.pem"
    words = (sys.executable, "-m", "goldx.client.new_key", "ALPHA-1", "--holder", "ALPHA", "--out", str(file))
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    key = Key.load(file)
    assert parse_public_half(printed) == PublicHalf(key.public_bytes, "ALPHA-1", "ALPHA")
    assert file.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (2, "")
    assert "alpha-1.pem" in again.stderr
    assert Key.load(file).public_bytes == key.public_bytes
