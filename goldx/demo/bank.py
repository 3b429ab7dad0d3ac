"""The bank of the demonstration: its statements, and a payment that it takes back after the member has spent it.

The money out is a claim on the account, which may sell and cancel until it has paid; then a clerk collects it.
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from goldx.client.errors import ExchangeError
from goldx.demo import scenario, staff
from goldx.demo.informed_member import GRAMS, InformedMember
from goldx.demo.shell import Shell
from goldx.demo.staff import StaffFailed
from goldx.protocol import units
from goldx.timetable.venue_time import today

SPENT: Final = 95
"""How much of its payment the payer spends, in hundredths."""
RISEN: Final = 102
"""The price at which the gold is sold again, in hundredths of that at which it was bought."""


class Payment(NamedTuple):
    """One payment of a statement, in fen, positive into the venue's account; ``returned``: it takes back another."""

    amount: int
    reference: str
    name: str
    returned: bool = False


def paid_in() -> list[Payment]:
    """Return the payments of the members before trading. One that nobody has announced names its account alone."""
    return [
        Payment(units.parse_money(amount), staff.bank_reference(account) if firm.announced else account, firm.name)
        for firm in scenario.FIRMS
        for account, amount in firm.cash.items()
    ]


async def prove_deposits(shell: Shell, folder: Path) -> int:
    """Take in the statement of the day on which the members paid; return what nobody had announced, in fen.

    What clerks have recorded is tied to its payments. Who has paid the rest is seen by its reference; a second clerk
    approves it.
    """
    account = ("--bank", scenario.BANK, "--holder", scenario.VENUE.name)
    await shell.run("clerk", "--as", scenario.CLERK.code, "bank", "add-account", scenario.BANK_ACCOUNT, *account)
    found = await _take_in(shell, folder, today() - timedelta(days=1), 0, paid_in())
    return sum(units.parse_money(one["amount_cny"]) for one in found)


async def pay_and_take_back(shell: Shell, folder: Path, payer: InformedMember, other: InformedMember) -> None:
    """Let the bank pay what members have withdrawn, and take back a payment with which ``payer`` has bought gold.

    The payer owes the money until it has sold the gold to ``other`` again and a clerk has collected it. Raises
    StaffFailed where the claim does not do what it has to.
    """
    paid_out = await _send(shell, folder)
    symbol = scenario.WITHDRAWN_SYMBOL
    price = await other.last_price(symbol)
    before = paid_in()
    (paid,) = (payment for payment in before if payment.reference == payer.record.account)
    grams = str(paid.amount * SPENT // 100 // price)
    await payer.accept(await other.propose(payer, symbol, units.format_price(price), grams))
    opening = sum(payment.amount for payment in before)
    taken_back = paid._replace(amount=-paid.amount, returned=True)
    (found,) = await _take_in(shell, folder, today(), opening, [*paid_out, taken_back])

    async def owes() -> bool:
        return bool(await payer.owed())

    async def owes_nothing() -> bool:
        return not await payer.owed()

    await staff.wait_until(owes, "the engine to have the claim on an account")
    try:
        await payer.place(symbol, "buy", price, GRAMS)
    except ExchangeError as error:
        if error.reason != "CLAIM":
            raise
    else:
        raise StaffFailed(f"{payer.record.account} owes money and may buy")
    dearer = units.format_price(price * RISEN // 100)
    await other.accept(await payer.propose(other, symbol, dearer, grams))
    printed = await shell.run("clerk", "--as", scenario.CLERK.code, "bank", "collect", str(found["payment"]))
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", staff.proposal_in(printed))
    await staff.wait_until(owes_nothing, "the claim on an account to be collected")


async def proof(shell: Shell) -> dict[str, Any]:
    """Compare the bank's statements with the ledger, and return the comparison, with its ``breaks``."""
    answer = await shell.execute("clerk", "--as", scenario.SECOND_CLERK.code, "bank", "reconcile", "--json")
    compared: dict[str, Any] = json.loads(answer.output)
    return compared


async def _send(shell: Shell, folder: Path) -> list[Payment]:
    """Write the payment file of the members' withdrawals, and return its payments as the bank carries them out."""
    clerk = ("clerk", "--as", scenario.CLERK.code, "bank")
    file = folder / "payments.xml"
    await shell.run(*clerk, "pay-file", "--bank-account", scenario.BANK_ACCOUNT, "--out", str(file))
    rows = [json.loads(line) for line in (await shell.run(*clerk, "payments", "--json")).splitlines()]
    return [Payment(-units.parse_money(row["amount_cny"]), row["end_to_end"], row["payee_name"]) for row in rows]


async def _take_in(
    shell: Shell, folder: Path, day: date, opening: int, payments: Sequence[Payment]
) -> list[dict[str, Any]]:
    """Take in a statement of one day, match its payments, approve what is proposed, and return the proposals' rows."""
    file = folder / f"bank-{day}.xml"
    file.write_text(statement(day, opening, payments), encoding="utf-8")
    clerk = ("clerk", "--as", scenario.CLERK.code, "bank")
    await shell.run(*clerk, "import", str(file))
    rows = [json.loads(line) for line in (await shell.run(*clerk, "match", "--json")).splitlines()]
    found = [row for row in rows if row["proposal"]]
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", *(str(row["proposal"]) for row in found))
    return found


def statement(day: date, opening: int, payments: Sequence[Payment]) -> str:
    """Return a bank's statement (camt.053.001.08) of one day, given the balance before it in fen."""
    closing = opening + sum(payment.amount for payment in payments)
    entries = "".join(_entry(day, number, payment) for number, payment in enumerate(payments, 1))
    return (
        '<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>{day}</MsgId></GrpHdr><Stmt><Id>{day:%Y%m%d}</Id><CreDtTm>{day}T23:59:00</CreDtTm>"
        f"<Acct><Id><Othr><Id>{scenario.BANK_ACCOUNT}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>"
        f"{_balance('OPBD', day, opening)}{_balance('CLBD', day, closing)}{entries}</Stmt></BkToCstmrStmt></Document>\n"
    )


def _entry(day: date, number: int, payment: Payment) -> str:
    direction, side = ("CRDT", "Dbtr") if payment.amount > 0 else ("DBIT", "Cdtr")
    amount = _amount(payment.amount)
    reversal = "<RvslInd>true</RvslInd>" if payment.returned else ""
    reason = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if payment.returned else ""
    return (
        f"<Ntry>{amount}<CdtDbtInd>{direction}</CdtDbtInd>{reversal}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{day:%y%m%d}{number:04}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd><NtryDtls><TxDtls>"
        f"<Refs><EndToEndId>{payment.reference}</EndToEndId></Refs>{amount}<CdtDbtInd>{direction}</CdtDbtInd>"
        f"<RltdPties><{side}><Pty><Nm>{payment.name}</Nm></Pty></{side}></RltdPties>{reason}</TxDtls></NtryDtls></Ntry>"
    )


def _balance(kind: str, day: date, fen: int) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>{_amount(fen)}<CdtDbtInd>CRDT</CdtDbtInd>"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _amount(fen: int) -> str:
    return f'<Amt Ccy="CNY">{units.format_money(abs(fen))}</Amt>'
