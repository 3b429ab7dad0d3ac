"""The points of Ed25519 that are public keys (RFC 8032, section 5.1), checked with whole numbers alone."""

from typing import Final

from goldx.protocol.units import BadValue

# The curve of RFC 8032, section 5.1.
_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493

_Point = tuple[int, int, int, int]
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def check_point(public_key: bytes) -> None:
    """Raise BadValue unless 32 bytes are a public key that a key pair can have (RFC 8032, section 5.1.3).

    That is a point of the curve in its only encoding, in the group of prime order and not its neutral element: under a
    point of small order a signature fits that nobody made with a private key.
    """
    point = _decompress(public_key) if len(public_key) == 32 else None
    if point is None or _is_neutral(point) or not _is_neutral(_times(_ORDER, point)):
        raise BadValue("public_key", public_key.hex(), "the 32 bytes of a point of Ed25519 of prime order")


def _decompress(data: bytes) -> _Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _add(one: _Point, other: _Point) -> _Point:
    """Return the sum of two points in extended coordinates (RFC 8032, section 5.1.4)."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: _Point) -> _Point:
    found = _NEUTRAL
    while factor:
        if factor & 1:
            found = _add(found, point)
        point = _add(point, point)
        factor >>= 1
    return found


def _is_neutral(point: _Point) -> bool:
    x, y, z, _ = point
    return x % _P == 0 and (y - z) % _P == 0
