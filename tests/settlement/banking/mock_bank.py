"""A bank that keeps one account and writes its statements, in every format that banks send."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple
from xml.sax.saxutils import escape

from goldx.protocol.units import format_money

ACCOUNT = "35020000123456789"
MONDAY = date(2026, 11, 23)
CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{version:02}"


class Payment(NamedTuple):
    """One payment, positive into the account; ``reversal``: it takes back an earlier one of the other sign."""

    amount_fen: int
    reference: str = ""
    name: str = ""
    account: str = ""
    text: str = ""
    reversal: bool = False
    virtual_account: str = ""
    reason: str = ""
    number: str = ""
    """The bank's number of the entry; default: its day and place."""


Booking = tuple[Payment, ...]
"""One entry of the account: a payment, or a batch of them."""


class Day(NamedTuple):
    """A day of the account."""

    day: date
    opening_fen: int
    bookings: tuple[Booking, ...]

    @property
    def closing_fen(self) -> int:
        return self.opening_fen + sum(payment.amount_fen for booking in self.bookings for payment in booking)


class MockBank:
    """An account at a bank: ``book`` adds a day, the other methods write what the bank would send of days."""

    def __init__(self, opening_fen: int = 0, account: str = ACCOUNT, first: date = MONDAY) -> None:
        self.account = account
        self.balance_fen = opening_fen
        self.next_day = first
        self.days: list[Day] = []

    def book(self, *bookings: Booking | Payment) -> Day:
        """Book a day; each booking is a payment or a batch."""
        whole = tuple((one,) if isinstance(one, Payment) else one for one in bookings)
        day = Day(self.next_day, self.balance_fen, whole)
        self.days.append(day)
        self.balance_fen = day.closing_fen
        self.next_day += timedelta(days=1)
        return day

    def number(self, day: Day, place: int) -> str:
        """The bank's number of an entry."""
        return day.bookings[place - 1][0].number or f"B{day.day:%y%m%d}{place:04}"

    def mt940(self, *days: Day, end: str = "\r\n") -> bytes:
        """Write one statement a day as MT940."""
        lines: list[str] = []
        for day in days:
            lines += [f":20:{day.day:%y%m%d}", f":25:ICBKCNBJ/{self.account}", f":28C:{day.day:%j}/1"]
            lines.append(f":60F:{_swift_balance(day.day - timedelta(days=1), day.opening_fen)}")
            for place, booking in enumerate(day.bookings, 1):
                amount = sum(payment.amount_fen for payment in booking)
                one = booking[0]
                mark = ("R" if one.reversal else "") + ("C" if (amount > 0) != one.reversal else "D")
                written = format_money(abs(amount)).replace(".", ",")
                lines.append(
                    f":61:{day.day:%y%m%d%m%d}{mark}{written}NTRF{one.reference[:16]}//{self.number(day, place)}"
                )
                lines.append(f":86:{one.name} {one.account} {one.text}".rstrip())
            lines += [f":62F:{_swift_balance(day.day, day.closing_fen)}", "-"]
        return (end.join(lines) + end).encode()

    def camt(self, *days: Day, message: str = "053", version: int = 8, turned: bool = False) -> bytes:
        """Write one statement a day as camt; ``turned``: reversals have the direction of what they take back."""
        words = {"053": ("BkToCstmrStmt", "Stmt"), "052": ("BkToCstmrAcctRpt", "Rpt")}
        document, part = words.get(message, ("BkToCstmrDbtCdtNtfctn", "Ntfctn"))
        parts = []
        for day in days:
            balances = [("OPBD", day.day - timedelta(days=1), day.opening_fen), ("CLBD", day.day, day.closing_fen)]
            shown = "".join(map(_camt_balance, balances)) if message == "053" else ""
            entries = (self._camt_entry(day, place, version, turned) for place in range(1, len(day.bookings) + 1))
            parts.append(
                f"<{part}><Id>{day.day:%Y%m%d}</Id><CreDtTm>{day.day}T23:59:00</CreDtTm>"
                f"<Acct><Id><Othr><Id>{self.account}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>{shown}"
                + "\n".join(entries)
                + f"</{part}>"
            )
        space = CAMT.format(message=message, version=version)
        body = f"<GrpHdr><MsgId>M</MsgId></GrpHdr>{''.join(parts)}"
        return f'<?xml version="1.0"?>\n<Document xmlns="{space}"><{document}>{body}</{document}></Document>'.encode()

    def _camt_entry(self, day: Day, place: int, version: int, turned: bool) -> str:
        booking = day.bookings[place - 1]
        amount = sum(payment.amount_fen for payment in booking)
        reversal = booking[0].reversal
        direction = "CRDT" if (amount > 0) != (turned and reversal) else "DBIT"
        status = "<Sts>BOOK</Sts>" if version < 8 else "<Sts><Cd>BOOK</Cd></Sts>"
        details = "".join(self._camt_payment(payment, version, direction) for payment in booking)
        flag = "<RvslInd>true</RvslInd>" if reversal else ""
        return (
            f"<Ntry>{_camt_amount(amount)}<CdtDbtInd>{direction}</CdtDbtInd>{flag}{status}"
            f"<BookgDt><Dt>{day.day}</Dt></BookgDt><AcctSvcrRef>{self.number(day, place)}</AcctSvcrRef>"
            f"<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd><NtryDtls>{details}</NtryDtls></Ntry>"
        )

    def _camt_payment(self, payment: Payment, version: int, direction: str) -> str:
        amount = _camt_amount(payment.amount_fen)
        stated = (
            f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>"
            if version < 4
            else f"{amount}<CdtDbtInd>{direction}</CdtDbtInd>"
        )
        name = f"<Nm>{escape(payment.name)}</Nm>"
        party = f"<Pty>{name}</Pty>" if version >= 8 else name
        side, own = ("Dbtr", "Cdtr") if direction == "CRDT" else ("Cdtr", "Dbtr")
        ours = f"<{own}Acct>{_camt_account(payment.virtual_account)}</{own}Acct>" if payment.virtual_account else ""
        parties = f"<{side}>{party}</{side}><{side}Acct>{_camt_account(payment.account)}</{side}Acct>{ours}"
        returned = f"<RtrInf><Rsn><Cd>{payment.reason}</Cd></Rsn></RtrInf>" if payment.reason else ""
        return (
            f"<TxDtls><Refs><EndToEndId>{escape(payment.reference) or 'NOTPROVIDED'}</EndToEndId></Refs>{stated}"
            f"<RltdPties>{parties}</RltdPties><RmtInf><Ustrd>{escape(payment.text)}</Ustrd></RmtInf>{returned}</TxDtls>"
        )

    def icbc(self, *days: Day, encoding: str = "gb18030", newest_first: bool = False) -> bytes:
        """Write days as the table of a Chinese bank: title, amounts in two columns, balance, totals at the end."""
        rows: list[str] = []
        balance = days[0].opening_fen
        totals = {1: 0, -1: 0}
        for day in days:
            for place, booking in enumerate(day.bookings, 1):
                amount, one = sum(payment.amount_fen for payment in booking), booking[0]
                balance += amount
                credit = (amount > 0) != one.reversal
                totals[1 if credit else -1] += amount if credit else -amount
                written = _grouped(amount if credit else -amount)
                columns = ("", written) if credit else (written, "0.00")
                cells = [f"{day.day} 10:00:{place % 60:02}", *columns, _grouped(balance), self.number(day, place)]
                rows.append(_csv([*cells, one.name, one.account, one.virtual_account, one.text]))
        head = [
            "交易时间",
            "借方发生额",
            "贷方发生额",
            "余额",
            "流水号",
            "对方单位名称",
            "对方账号",
            "虚拟账号",
            "摘要",
        ]
        title = ["账户明细查询结果", _csv([f"账号：{self.account}", "", "币种", "人民币"]), _csv(head)]
        total = _csv(["合计", _grouped(totals[-1]), _grouped(totals[1]), "", "", "", "", "", ""])
        return ("\r\n".join([*title, *(rows[::-1] if newest_first else rows), total]) + "\r\n").encode(encoding)


def _swift_balance(day: date, fen: int) -> str:
    return f"{'C' if fen >= 0 else 'D'}{day:%y%m%d}CNY{format_money(abs(fen)).replace('.', ',')}"


def _camt_balance(balance: tuple[str, date, int]) -> str:
    code, day, fen = balance
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_camt_amount(fen)}"
        f"<CdtDbtInd>{'CRDT' if fen >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _camt_amount(fen: int) -> str:
    return f'<Amt Ccy="CNY">{format_money(abs(fen))}</Amt>'


def _camt_account(number: str) -> str:
    return f"<Id><Othr><Id>{number}</Id></Othr></Id>"


def _grouped(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def _csv(cells: Sequence[str]) -> str:
    return ",".join(f'"{cell}"' for cell in cells)
