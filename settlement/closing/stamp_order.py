"""The certificates in a service's answer in the order that DER asks for.

Many services send them in another order, such as that of the chain, which a strict reader refuses. The signature does
not cover the order, so it is mended before the answer is read (RFC 5652 5.1 and 10.3, X.690 11.6).
"""

from typing import Final, NamedTuple

_CERTIFICATES: Final = 0xA0
"""The tag of the certificates in SignedData."""
_LONG: Final = 0x80
_LONGEST: Final = 4
"""The most bytes in which a length is given: more than any answer needs."""


class _Element(NamedTuple):
    """One element: its tag, where it begins, where its contents begin, and where it ends."""

    tag: int
    begin: int
    contents: int
    end: int


def _elements(data: bytes, begin: int, end: int) -> list[_Element]:
    """Return the elements of a part of DER. Raises ValueError."""
    found = []
    while begin < end:
        if begin + 2 > end:
            raise ValueError("an element of the answer is cut off")
        length, contents = data[begin + 1], begin + 2
        if length & _LONG:
            size = length - _LONG
            if not 0 < size <= _LONGEST:
                raise ValueError("an element of the answer has no definite length")
            length, contents = int.from_bytes(data[contents : contents + size]), contents + size
        if contents + length > end:
            raise ValueError("an element of the answer is cut off")
        found.append(_Element(data[begin], begin, contents, contents + length))
        begin = contents + length
    return found


def _inside(data: bytes, element: _Element) -> list[_Element]:
    return _elements(data, element.contents, element.end)


def sorted_certificates(answer: bytes) -> bytes:
    """Return an answer with its certificates sorted; one without a time stamp as it is. Raises ValueError."""
    (response,) = _elements(answer, 0, len(answer))
    parts = _inside(answer, response)
    if len(parts) < 2:
        return answer
    _, content = _inside(answer, parts[1])
    (signed,) = _inside(answer, content)
    for part in _inside(answer, signed):
        if part.tag == _CERTIFICATES:
            each = sorted(answer[one.begin : one.end] for one in _inside(answer, part))
            return answer[: part.contents] + b"".join(each) + answer[part.end :]
    return answer
