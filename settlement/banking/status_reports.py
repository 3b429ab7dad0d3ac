"""The definition of pain.002, as far as this exchange reads it: the elements, their order, and their texts.

The definitions of ISO 20022 for the versions 03, 12, 14 and 15 agree in these elements, but for the statuses: version
03 lists them, later ones allow any code of up to four signs (tests hold this module against the definitions). Parties,
charges and the copy of the payment are not read, and so not checked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from lxml import etree

from settlement.workbooks.cells import RowError

NAMESPACE: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:pain\.002\.001\.(0[3-9]|1[0-5])")
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
"""Attributes of this namespace, such as schemaLocation, may stand in any element."""
OLDEST: Final = "03"
REPORT: Final = "CstmrPmtStsRpt"
MANY: Final = 10**9
LONGEST_SHOWN: Final = 60
"""The most signs of a text or a name in a refusal."""

Element = Any
"""An element of lxml, which has no types of its own."""


class Words(NamedTuple):
    """A text: its pattern, what a person is told that is allowed, and whether spaces around it do not count."""

    pattern: re.Pattern[str]
    allowed: str
    trimmed: bool = False


class Child(NamedTuple):
    """An element within another: its name, what it has, how often it comes, and the first version that has it.

    What it has is a text, the name of a list in ``CONTENTS``, or None where it is not checked.
    """

    name: str
    has: "Words | str | None"
    least: int = 0
    most: int = 1
    since: str = OLDEST


def _signs(most: int) -> Words:
    return Words(re.compile(rf"(?s).{{1,{most}}}"), f"1 to {most} signs")


def _one_of(*codes: str) -> Words:
    return Words(re.compile("|".join(codes)), "one of " + ", ".join(codes))


_ID, _CODE, _INFORMATION = _signs(35), _signs(4), _signs(105)
_COUNT: Final = Words(re.compile(r"[0-9]{1,15}"), "1 to 15 digits")
_SUM: Final = Words(
    re.compile(r"(?=([^0-9]*[0-9]){1,18}[^0-9]*$)[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"),
    "a decimal number of up to 18 digits",
    trimmed=True,
)
_TIME: Final = Words(
    re.compile(
        r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
        r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
    ),
    "a day and a time such as 2026-11-30T09:30:00",
    trimmed=True,
)
_UETR: Final = Words(re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}"), "a UUID")
_OLD_PAYMENT: Final = _one_of("ACTC", "RJCT", "PDNG", "ACCP", "ACSP", "ACSC", "ACWC")
_OLD_GROUP: Final = _one_of("ACTC", "RCVD", "PART", "RJCT", "PDNG", "ACCP", "ACSP", "ACSC", "ACWC")
_OLD: Final[Mapping[str, Words]] = {
    "TxSts": _OLD_PAYMENT,
    "DtldSts": _OLD_PAYMENT,
    "GrpSts": _OLD_GROUP,
    "PmtInfSts": _OLD_GROUP,
}
"""The statuses that the oldest version lists."""
_REASONS: Final = Child("StsRsnInf", "StsRsnInf", most=MANY)
_NUMBERS: Final = Child("NbOfTxsPerSts", "NbOfTxsPerSts", most=MANY)
_ADDED: Final = Child("SplmtryData", None, most=MANY, since="04")
CONTENTS: Final[Mapping[str, Sequence[Child]]] = {
    REPORT: (
        Child("GrpHdr", "GrpHdr", 1),
        Child("OrgnlGrpInfAndSts", "OrgnlGrpInfAndSts", 1),
        Child("OrgnlPmtInfAndSts", "OrgnlPmtInfAndSts", most=MANY),
        _ADDED,
    ),
    "GrpHdr": (
        Child("MsgId", _ID, 1),
        Child("CreDtTm", _TIME, 1),
        *(Child(name, None) for name in ("InitgPty", "FwdgAgt", "DbtrAgt", "CdtrAgt")),
    ),
    "OrgnlGrpInfAndSts": (
        Child("OrgnlMsgId", _ID, 1),
        Child("OrgnlMsgNmId", _ID, 1),
        Child("OrgnlCreDtTm", _TIME),
        Child("OrgnlNbOfTxs", _COUNT),
        Child("OrgnlCtrlSum", _SUM),
        Child("GrpSts", _CODE),
        _REASONS,
        _NUMBERS,
    ),
    "OrgnlPmtInfAndSts": (
        Child("OrgnlPmtInfId", _ID, 1),
        Child("OrgnlNbOfTxs", _COUNT),
        Child("OrgnlCtrlSum", _SUM),
        Child("PmtInfSts", _CODE),
        _REASONS,
        _NUMBERS,
        Child("TxInfAndSts", "TxInfAndSts", most=MANY),
    ),
    "TxInfAndSts": (
        Child("StsId", _ID),
        Child("OrgnlInstrId", _ID),
        Child("OrgnlEndToEndId", _ID),
        Child("OrgnlUETR", _UETR, since="04"),
        Child("TxSts", _CODE),
        _REASONS,
        Child("ChrgsInf", None, most=MANY),
        Child("TrckrData", None, since="04"),
        Child("AccptncDtTm", _TIME),
        Child("AcctSvcrRef", _ID),
        Child("ClrSysRef", _ID),
        Child("OrgnlTxRef", None),
        _ADDED,
    ),
    "StsRsnInf": (Child("Orgtr", None), Child("Rsn", "Rsn"), Child("AddtlInf", _INFORMATION, most=MANY)),
    "Rsn": (Child("Cd", _CODE), Child("Prtry", _ID)),
    "NbOfTxsPerSts": (Child("DtldNbOfTxs", _COUNT, 1), Child("DtldSts", _CODE, 1), Child("DtldCtrlSum", _SUM)),
}
"""The elements within an element, in their order."""
_CHOICES: Final = ("Rsn",)
"""Elements that have exactly one of those that may stand in them."""


def problems(report: Element) -> list[RowError]:
    """Return what is wrong with a report, with the line and the path of each element."""
    space = etree.QName(report).namespace or ""
    known = NAMESPACE.fullmatch(space)
    if known is None:
        allowed = "that of pain.002.001.03 to .15, as in urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
        return [_wrong(report, REPORT, f"its namespace is {_shown(space)}; it must be {allowed}")]
    return [*_attributes(report, REPORT), *_within(report, REPORT, REPORT, known[1])]


def _shown(text: str) -> str:
    """Return a quoted text for a message, cut off if it is long: a file may contain a text of any length."""
    return repr(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]!r}..."


def _wrong(part: Element, path: str, problem: str) -> RowError:
    return RowError(int(part.sourceline or 1), path, problem)


def _within(part: Element, kind: str, path: str, version: str) -> Iterator[RowError]:
    """Yield what is wrong with the elements in an element, and within these."""
    children = [child for child in CONTENTS[kind] if child.since <= version]
    places = {child.name: place for place, child in enumerate(children)}
    if any((text or "").strip() for text in (part.text, *(each.tail for each in part))):
        yield _wrong(part, path, "it must have elements, and has a text")
    counts: dict[str, int] = {}
    reached = 0
    for each in part:
        name = etree.QName(each)
        below = f"{path}/{name.localname[:LONGEST_SHOWN]}"
        place = places.get(name.localname)
        if place is None or name.namespace != etree.QName(part).namespace:
            yield _wrong(each, below, "there is no such element here; there may be " + ", ".join(places))
            continue
        if place < reached:
            yield _wrong(each, below, f"it stands behind {children[reached].name}, and must stand before it")
        reached = max(reached, place)
        child = children[place]
        counts[child.name] = counts.get(child.name, 0) + 1
        if counts[child.name] == child.most + 1:
            yield _wrong(each, below, "it comes more than once")
        yield from _attributes(each, below)
        yield from _content(each, child, below, version)
    for child in children:
        if child.least and child.name not in counts:
            yield _wrong(part, f"{path}/{child.name}", "it is missing")
    if kind in _CHOICES and sum(counts.values()) != 1:
        yield _wrong(part, path, "it must have one of " + ", ".join(places))


def _content(part: Element, child: Child, path: str, version: str) -> Iterator[RowError]:
    if isinstance(child.has, str):
        yield from _within(part, child.has, path, version)
        return
    words = _OLD.get(child.name, child.has) if version == OLDEST else child.has
    if words is None:
        return
    text = "".join(part.itertext())
    if len(part):
        yield _wrong(part, path, "it must have a text, and has elements")
    elif words.pattern.fullmatch(text.strip() if words.trimmed else text) is None:
        yield _wrong(part, path, f"it is {_shown(text)}; it must be {words.allowed}")


def _attributes(part: Element, path: str) -> Iterator[RowError]:
    for name in map(etree.QName, part.attrib):
        if name.namespace != _INSTANCE:
            yield _wrong(part, path, f"it must have no attribute {name.localname[:LONGEST_SHOWN]}")
