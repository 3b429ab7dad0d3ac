"""The payer of money in, by the bank's statement, as it is shown to the person who decides about it.

Money that another than the member has paid in its favour is a question for that person, and no refusal: a bank shortens
names, and leaves them out.
"""

from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking import payouts
from settlement.base.spelling import same
from settlement.base.sub_accounts import check_trading_account

NOT_GIVEN: Final = "not given by the bank"


async def shown(connection: AsyncConnection, payment: Row[Any], account: str) -> dict[str, str]:
    """Return name and account of who paid, and a note where that is not the name of the account's member.

    Nothing is returned for money out.
    """
    if payment.amount_fen < 0:
        return {}
    member = await check_trading_account(connection, account)
    names = await payouts.names(connection, member)
    found = {"payer": payment.name or NOT_GIVEN, "payer_account": payment.account or NOT_GIVEN}
    if not any(same(payment.name, name) for name in names):
        found["check"] = f"the payer's name is not that of member {member}: {' or '.join(names) or 'none is known'}"
    return found
