"""Claims on accounts in the brute-force model: what could still buy is looked for among all that is open."""

from goldx.protocol import commands, events, terms, units
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.claim_events import AccountClaimChanged
from tests.matching.core.model_parts import Account, Refused
from tests.matching.core.model_rfq import Requests

LARGEST = 10**17
TEXT = "the account may not buy now"


class Claims(Requests):
    def do_account_claim(self, c: AccountClaim) -> None:
        account = self.account(c.account)
        if not 0 <= c.amount <= LARGEST or c.reference == "":
            raise Refused("BAD_VALUE")
        self.set_claim(account, c.reference, c.amount)

    def do_holding_adjust(self, c: commands.HoldingAdjust) -> None:
        leg = commands.Leg(c.account, c.asset, c.amount)
        self.put(c.reference, (leg,), c.deposit)
        account = self.accounts[c.account]
        owed = account.claims.get(c.claim, 0) if c.asset == units.CASH and c.amount < 0 else 0
        collected = min(owed, abs(c.amount)) or None
        self.emit(events.HoldingAdjusted, c.account, c.asset, c.amount, c.reference, collected)
        if collected:
            self.set_claim(account, c.claim, owed - collected, collected)

    def set_claim(self, account: Account, reference: str, amount: int, collected: int | None = None) -> None:
        before = account.claims.pop(reference, 0)
        if amount:
            account.claims[reference] = amount
        owed = sum(account.claims.values())
        self.emit(AccountClaimChanged, account.name, reference, before, amount, owed, collected)
        if owed:
            self.end_purchases(account)

    def end_purchases(self, account: Account) -> None:
        name = account.name
        self.cancel_each([o for o in self.orders if o.account is account and o.side == terms.BUY], "CLAIM")
        mine = [deal for deal in self.deals if deal.asked.account == name and deal.asked.side == terms.BUY]
        self.end_deals(mine, "VENUE", TEXT)
        for request in list(self.requests):
            if request.asked.account == name and request.asked.side == terms.BUY:
                self.end_request(request, "VENUE", TEXT)
            elif request.asked.side == terms.SELL:
                self.end_offers(request, [o for o in request.offers if o.given.account == name], "VENUE", TEXT)
