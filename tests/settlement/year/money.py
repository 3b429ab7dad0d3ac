"""The money of the simulated year: deposits, some of them twins, withdrawals that members ask for, and returns."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from settlement.banking import (
    accounts,
    bank_reconciliation,
    camt,
    deposits,
    imports,
    payees,
    payouts,
    virtual_accounts,
    withdrawals,
)
from settlement.banking.payouts import Payee
from settlement.banking.withdrawals import AskedWithdrawal
from settlement.base import working_days
from settlement.ledger import corrections
from tests.settlement.banking.mock_bank import ACCOUNT, Booking, MockBank, Payment
from tests.settlement.small_exchange import ONE
from tests.settlement.year.happenings import MEMBERS, Life

FIRST_MONEY: Final = 500_000_000
"""Fen that each member brings."""


class Money:
    """The bank's account, and the payments that are under way."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._bank = MockBank()
        self._asked = 0
        self._deposits = 0
        self._sent: list[Payment] = []
        self._due: list[tuple[int, Payment]] = []
        """Payments that the bank takes back, and the number of the trading day from which on."""

    async def open(self) -> None:
        """Register the bank's account and the members' accounts there, and let each member bring money."""
        life = self._life
        await life.do(accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
        for place, code in enumerate(MEMBERS):
            await life.do(virtual_accounts.add, ONE, f"80010{place}", f"{code}.H")
        to = [Payee(f"Member {code}", f"6222000{code}", "102393000015") for code in MEMBERS]
        await life.approve([await life.do(payees.propose, ONE, payee.name[-1], payee) for payee in to])
        self._bank.next_day = working_days.today()
        await self._booked([Payment(FIRST_MONEY, f"{code}.H", f"Member {code}") for code in MEMBERS])

    async def withdraw(self, number: int) -> None:
        """Let members ask for money, check it, and put the payments into a file; the bank makes them today."""
        life = self._life
        self._sent = []
        asked = []
        for place in life.dice.sample(range(len(MEMBERS)), number % 3):
            self._asked += 1
            member = MEMBERS[place]
            request = AskedWithdrawal(f"W-{self._asked}", f"{member}.H", life.dice.randint(1, 50_000), place + 1)
            asked.append(await life.do(withdrawals.ask, member, f"{member}-1", request))
        if life.dice.random() < 0.1 and asked:
            await life.do(withdrawals.decline, ONE, asked.pop(), "the member has called: it was a mistake")
            life.done["withdrawals declined"] += 1
        if not asked:
            return
        await life.approve([await life.do(withdrawals.accept, ONE, one) for one in asked])
        await life.do(payouts.send, ONE, ACCOUNT)
        for row in (await life.do(payouts.listing))[-len(asked) :]:
            paid = Payment(row.amount, row.end_to_end, row.payee_name, row.payee_account)
            self._sent.append(paid)
            if life.dice.random() < 0.2:
                back = paid._replace(amount_fen=-row.amount, reason="AC04", account=row.payee_account)
                self._due.append((number + life.dice.randint(1, 4), back))
        life.done["withdrawals"] += len(asked)

    async def bank_day(self, number: int, day: date) -> None:
        """Take in the bank's statement of a day: its deposits, what it has paid out, and what it takes back."""
        life = self._life
        found: list[Booking | Payment] = list(self._sent)
        for _ in range(life.dice.randint(0, 3)):
            found += self._deposit(number)
        due: list[Booking | Payment] = [back for when, back in self._due if when <= number]
        self._due = [one for one in self._due if one[0] > number]
        life.done["payments taken back"] += len(due)
        self._bank.next_day = day
        await self._booked(found + due)

    def _deposit(self, number: int) -> list[Booking | Payment]:
        """Return a deposit, or two that are alike. Some are taken back by the bank on a later day."""
        dice = self._life.dice
        place, fen = dice.randrange(len(MEMBERS)), dice.randint(1, 5_000_000)
        code = MEMBERS[place]
        account, virtual = (f"{code}.H", "") if dice.random() < 0.5 else ("", f"80010{place}")
        made: list[Booking | Payment] = []
        for _ in range(2 if dice.random() < 0.2 else 1):
            self._deposits += 1
            named = f"DEP{self._deposits:06}"
            one = Payment(fen, account, f"Member {code}", virtual_account=virtual, number=named)
            made.append(one)
            if dice.random() < 0.1:
                back = Payment(-fen, "", f"Member {code}", text=f"冲正 {named}", reversal=True)
                self._due.append((number + dice.randint(1, 4), back))
        self._life.done["deposits"] += len(made)
        return made

    async def _booked(self, bookings: Sequence[Booking | Payment]) -> None:
        """Take in the bank's statement of the day, match it, and approve what follows."""
        life = self._life
        data = self._bank.camt(self._bank.book(*bookings))
        await life.do(imports.take_in, ONE, "day.xml", data, camt.read(data))
        found = await life.do(deposits.match, ONE)
        left = [one for one in found if one.how is None]
        assert left == [], "every payment is some money"
        await life.approve([one.proposal for one in found])

    async def correct(self, day: date) -> None:
        """Move money that was booked to the wrong account."""
        life = self._life
        one, other = life.dice.sample(MEMBERS, 2)
        fen = life.dice.randint(1, 9_999)
        paper = f"MEMO-{day.isoformat()}"
        change = (corrections.propose, ONE, f"{one}.H", f"{other}.H", fen, "booked to the wrong account", paper)
        await life.approve([await life.do(*change)])
        life.done["corrections"] += 1

    async def proves(self, sequence: object) -> None:
        """Assert that bank and ledger agree to the fen at the end of a day."""
        proof = await self._life.do(bank_reconciliation.prove, sequence)
        assert (proof.breaks, proof.bank_fen) == ((), proof.ledger_fen)
