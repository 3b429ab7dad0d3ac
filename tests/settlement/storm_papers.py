"""Acts of clerks, members and banks about money, closed days and their papers."""

import asyncio
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from settlement.banking import (
    answers,
    camt,
    deposits,
    imports,
    payees,
    payouts,
    ties,
    virtual_accounts,
    voids,
    withdrawal_limits,
    withdrawals,
)
from settlement.banking.payouts import Payee
from settlement.banking.withdrawal_limits import Limits
from settlement.banking.withdrawals import AskedWithdrawal
from settlement.base import working_days
from settlement.closing import close, red_invoices, signing, statements, taking_over
from settlement.ledger import cash, corrections, fee_payouts
from settlement.reconciliation import resolutions
from settlement.reconciliation.holdings import HoldingDifference
from settlement.tables.banking import bank_item, payment_in_file, payment_order
from settlement.tables.base import proposal
from settlement.tables.ledger import cash_transfer
from settlement.tables.load_outs import quality_claim
from settlement.tables.reconciliation import recon_break
from settlement.tables.withdrawals import withdrawal
from tests.settlement.banking.mock_bank import ACCOUNT, MONDAY, MockBank, Payment
from tests.settlement.banking.test_payouts import pain_002
from tests.settlement.closing.days import DAYS, RISK
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange
from tests.settlement.storm_acts import ACCOUNTS, MetalActs, about

MEMBER: Final = "Member A"
OPERATOR: Final = "operator-2"
SECOND: Final = f"{ACCOUNT}2"
"""A second account of the venue at a bank, of which statements are voided."""
ACCOUNTS_OR_NONE: Final = ("A.H", "B.H", "VENUE", None)
SAME_CASH: Final = payment_in_file.c.cash_id == payment_order.c.cash_id


class Storm(MetalActs):
    """All acts; the clerks of a storm share the ``bank`` and its lock, since each statement follows the one before."""

    def __init__(self, exchange: SmallExchange, seed: int, bank: MockBank, banking: asyncio.Lock) -> None:
        super().__init__(exchange, seed)
        self._bank = bank
        self._banking = banking

    def _why(self) -> tuple[str, str]:
        return "booked wrong", next(self._names)[:64]

    @about("cash")
    async def pay(self) -> None:
        await self._pay(self._account(), self._dice.randint(1, 1_000_000))

    @about("cash")
    async def order(self) -> None:
        payee = Payee(MEMBER, "62220001", "ICBC")
        await self._act(payouts.order, ONE, "A.H", self._dice.randint(1, 1_000), payee)

    @about("cash", times=2)
    async def pay_file(self) -> None:
        await self._act(payouts.send, ONE, ACCOUNT, self._dice.choice(("pain.001", "CSV")))

    @about("cash", times=2)
    async def answer(self) -> None:
        """The bank pays or rejects an order."""
        name = (await self._any(select(payment_order.c.end_to_end).join(payment_in_file, SAME_CASH)))[0]
        status = self._dice.choice(("ACSC", "RJCT", "ACSP"))
        answer = answers.parse(pain_002((name, status, "AC04" if status == "RJCT" else "")))
        await self._act(payouts.take_answers, ONE, answer)

    @about("cash", times=2)
    async def statement(self) -> None:
        """A day of the bank with a deposit, one without a name, and a payment out; then all are matched."""
        orders = await self._act(payouts.listing)
        order = self._dice.choice(orders) if orders else None
        out = [Payment(order.amount, order.end_to_end, MEMBER)] if order is not None and order.answer is None else []
        fen = self._dice.randint(1, 9_000)
        async with self._banking:
            data = self._bank.camt(self._bank.book(Payment(fen, "A.H"), Payment(fen, "unknown"), *out))
            await self._act(imports.take_in, ONE, "day.xml", data, camt.read(data))
        await self._act(deposits.match, ONE)

    @about("cash")
    async def assign(self) -> None:
        waiting = await self._act(deposits.suspense)
        number = self._dice.choice(waiting).item_no if waiting else 1
        await self._act(deposits.assign, ONE, number, self._account(), "as the letter says")

    @about("bank_tie", "cash")
    async def tie(self) -> None:
        """A payment without any evidence is tied by hand to money that was recorded before."""
        fen, reference = self._dice.randint(100_000, 900_000), next(self._names)[:64]
        await self._act(cash.propose, ONE, self._account(), fen, reference)
        async with self._banking:
            data = self._bank.camt(self._bank.book(Payment(fen, f"N-{fen}")))
            await self._act(imports.take_in, ONE, "day.xml", data, camt.read(data))
        (item,) = await self._any(select(bank_item.c.item_no).where(bank_item.c.reference == f"N-{fen}"))
        money = select(cash_transfer.c.cash_id).where(cash_transfer.c.bank_reference == reference)
        await self._act(ties.tie, ONE, [item], list(await self._any(money)), "as the letter says")

    @about("bank_void", "bank_tie", "cash")
    async def void(self) -> None:
        """The second bank's day, of which a payment is tied by hand, is matched, and proposed to be voided."""
        fen, reference = self._dice.randint(100_000, 900_000), next(self._names)[:64]
        await self._act(cash.propose, ONE, "A.H", fen, reference)
        async with self._banking:
            statements = await self._act(imports.listing, account=SECOND)
            standing = [row.closing_fen for row in statements if row.void_order is None]
            bank = MockBank(standing[-1] if standing else 0, SECOND, MONDAY + timedelta(days=len(statements)))
            data = bank.camt(bank.book(Payment(fen, f"V-{fen}"), Payment(self._small(), "A.H")))
            taken = await self._act(imports.take_in, ONE, "second.xml", data, camt.read(data))
            await self._act(deposits.match, ONE)
            (item,) = await self._any(select(bank_item.c.item_no).where(bank_item.c.reference == f"V-{fen}"))
            money = select(cash_transfer.c.cash_id).where(cash_transfer.c.bank_reference == reference)
            await self._act(ties.tie, ONE, [item], list(await self._any(money)), "as the letter says")
            await self._act(voids.propose, ONE, taken.statements[0].statement_no, "another account's", with_later=True)

    @about("virtual_account_end")
    async def end_virtual_account(self) -> None:
        number = f"{ACCOUNT}{self._dice.randint(100, 109)}"
        await self._act(virtual_accounts.add, ONE, number, self._account())
        await self._act(virtual_accounts.propose_end, ONE, number, working_days.today(), "closed")

    @about("payee_account")
    async def payee(self) -> None:
        number = f"6222{self._dice.randint(0, 9_999):04}"
        await self._act(payees.propose, ONE, "A", Payee(MEMBER, number, "ICBC"))

    @about("payee_account")
    async def end_payee(self) -> None:
        await self._act(payees.end, ONE, self._dice.randint(2, 5), "closed")

    @about("withdrawal_limit")
    async def limit(self) -> None:
        limits = Limits(1_000_000, 100_000_000 + self._small(), 0)
        await self._act(withdrawal_limits.propose, OPERATOR, limits, self._dice.choice((None, "A.H")))

    @about("withdrawal", times=2)
    async def withdraw(self) -> None:
        """A member asks, and a clerk accepts or declines, or the member thinks again."""
        fen = self._dice.randint(1, 1_000)
        number = await self._act(withdrawals.ask, "A", "A-1", AskedWithdrawal(next(self._names)[:64], "A.H", fen, 1))
        step = self._dice.choice(("accept", "accept", "accept and cancel", "decline", "cancel"))
        if step.startswith("accept"):
            await self._act(withdrawals.accept, ONE, number)
        if step.endswith("cancel"):
            await self._act(withdrawals.cancel, "A", number)
        if step == "decline":
            await self._act(withdrawals.decline, ONE, number, "is asked about")

    @about("withdrawal", "cash")
    async def cancel_any(self) -> None:
        """One that is accepted, at the bank or neither."""
        await self._act(withdrawals.cancel, "A", await self._one(withdrawal, "ASKED", "ACCEPTED"))

    @about("correction", times=2)
    async def correct_money(self) -> None:
        accounts = self._dice.sample(ACCOUNTS_OR_NONE, 2)
        await self._act(corrections.propose, ONE, *accounts, self._dice.randint(1, 1_000), *self._why())

    @about("correction", times=2)
    async def correct_metal(self) -> None:
        accounts = self._dice.sample(ACCOUNTS_OR_NONE, 2)
        await self._act(corrections.propose_metal, ONE, "AU", *accounts, self._dice.randint(1, 300), *self._why())

    @about("correction", "claim")
    async def pay_quality_claim(self) -> None:
        upheld = (
            await self._any(
                select(quality_claim.c.claim_no).where(quality_claim.c.upheld, quality_claim.c.status == "DECIDED")
            )
        )[0]
        await self._act(corrections.pay_quality_claim, ONE, upheld, 5, *self._why())

    @about("break", "correction")
    async def resolve(self) -> None:
        approved = select(proposal.c.proposal_id).where(
            proposal.c.kind == "correction", proposal.c.status == "APPROVED"
        )
        document = (await self._any(approved))[0]
        found = select(recon_break.c.break_id).where(
            recon_break.c.status == "OPEN", recon_break.c.account.in_(ACCOUNTS)
        )
        number = (await self._any(found))[0]
        await self._act(resolutions.resolve, ONE, number, "correction", document, "booked wrong")

    @about("fee_payout")
    async def pay_out_fees(self) -> None:
        await self._act(fee_payouts.propose, ONE, self._small(), "November")

    @about("account_statement", "invoice")
    async def close_days(self) -> None:
        """Close the days that are over; one close runs at a time."""
        await close.close(self._exchange.engine, ONE, lambda _: None)

    @about("account_statement")
    async def sign_day(self) -> None:
        capacity, by = self._dice.choice((("settlement", ONE), ("warehouse", OTHER), ("risk", RISK)))
        day = self._dice.choice((working_days.today(), working_days.parse_day("day", DAYS[0])))
        await self._act(signing.sign, by, day, capacity)

    @about("day_difference")
    async def take_difference_over(self) -> None:
        """Refused, as engine and ledger do not differ here."""
        seen = HoldingDifference(self._account(), "CNY", 1, 2)
        await self._act(taking_over.propose, ONE, working_days.today(), [seen], OTHER, "lost")

    @about("account_statement", times=2)
    async def read_statement(self) -> None:
        """A member confirms a statement or objects to it, and a clerk answers."""
        number = self._dice.randint(1, 9)
        if self._dice.random() < 0.5:
            await self._act(statements.confirm, "A", "A-1", number)
            return
        await self._act(statements.object_to, "A", "A-1", number, "a trade is missing")
        await self._act(statements.answer, ONE, number, "it is on the next one")

    @about("account_statement")
    async def accept_statements(self) -> None:
        await self._act(statements.accept_due, working_days.today())

    @about("invoice", times=2)
    async def correct_invoice(self) -> None:
        number = self._dice.randint(1, 3)
        await self._act(red_invoices.propose, ONE, number, "wrong buyer", again=True)
        if self._dice.random() < 0.3:
            await self._act(red_invoices.decline, OTHER, number)
        else:
            await self._act(red_invoices.approve, OTHER, number)
