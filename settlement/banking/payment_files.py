"""Payment files for the bank: pain.001 of ISO 20022."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from goldx.protocol.units import CASH, format_money

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
CNAPS_DIGITS: Final = 12
"""Digits of a bank's number in the Chinese payment system."""


class Debtor(NamedTuple):
    """The venue's account that pays."""

    holder: str
    account_number: str
    bank: str


class Instruction(NamedTuple):
    """One payment; the bank is its twelve digits of CNAPS, or its name."""

    end_to_end: str
    amount_fen: int
    payee_name: str
    payee_account: str
    payee_bank: str


def pain_001(message_id: str, at: datetime, debtor: Debtor, payments: Sequence[Instruction]) -> bytes:
    """Return a file of credit transfers (pain.001.001.09) to be made at once, each booked by itself."""
    document = Element("Document", xmlns=NAMESPACE)
    root = SubElement(document, "CstmrCdtTrfInitn")
    count, total = str(len(payments)), format_money(sum(one.amount_fen for one in payments))
    header = SubElement(root, "GrpHdr")
    _add(header, "MsgId", message_id)
    _add(header, "CreDtTm", at.isoformat(timespec="seconds"))
    _add(header, "NbOfTxs", count)
    _add(header, "CtrlSum", total)
    _add(header, "InitgPty/Nm", debtor.holder)
    block = SubElement(root, "PmtInf")
    for name, text in (("PmtInfId", message_id), ("PmtMtd", "TRF"), ("BtchBookg", "false"), ("NbOfTxs", count)):
        _add(block, name, text)
    _add(block, "CtrlSum", total)
    _add(block, "ReqdExctnDt/Dt", at.date().isoformat())
    _add(block, "Dbtr/Nm", debtor.holder)
    _add(block, "DbtrAcct/Id/Othr/Id", debtor.account_number)
    _add(block, "DbtrAgt/FinInstnId/Nm", debtor.bank)
    for payment in payments:
        one = SubElement(block, "CdtTrfTxInf")
        _add(one, "PmtId/EndToEndId", payment.end_to_end)
        _add(one, "Amt/InstdAmt", format_money(payment.amount_fen)).set("Ccy", CASH)
        if number := bank_number(payment.payee_bank):
            member = SubElement(SubElement(SubElement(one, "CdtrAgt"), "FinInstnId"), "ClrSysMmbId")
            _add(member, "ClrSysId/Cd", "CNAPS")
            _add(member, "MmbId", number)
        else:
            _add(one, "CdtrAgt/FinInstnId/Nm", payment.payee_bank)
        _add(one, "Cdtr/Nm", payment.payee_name)
        _add(one, "CdtrAcct/Id/Othr/Id", payment.payee_account)
        _add(one, "RmtInf/Ustrd", payment.end_to_end)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + bytes(tostring(document, encoding="utf-8"))


def bank_number(bank: str) -> str:
    """Return the number of a payee's bank in the Chinese payment system, an empty text if the bank is named."""
    return bank if len(bank) == CNAPS_DIGITS and bank.isascii() and bank.isdigit() else ""


def _add(parent: Element, path: str, text: str) -> Element:
    for name in path.split("/"):
        parent = SubElement(parent, name)
    parent.text = text
    return parent
