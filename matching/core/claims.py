"""Claims on accounts refuse purchases: an account that owes the venue money sells and cancels, and no more (CLAIM).

Every way of trading asks here before an account buys. What was open when it began to owe has ended
(``matching.core.claim_setting``), so that nothing of it can still buy.
"""

from __future__ import annotations

from goldx.protocol.units import format_money
from matching.core.holdings import Account

REASON = "CLAIM"


def refuses(account: Account) -> str:
    """Return why an account may not buy now, saying how much it owes, or an empty text."""
    if not account.owed:
        return ""
    return f"account {account.name} owes {format_money(account.owed)} CNY; until that is paid it may sell and cancel"
