"""Accounts for gold that its owner may not sell: beside a trading account, one per purpose.

``A.H.PLEDGE`` holds what account ``A.H`` has pledged, ``A.H.HOLD`` what an authority has frozen. They are accounts of
the engine like any other, so ledger, engine and lots stay equal by the same rules. Nobody can trade them, since their
member, ``CUSTODY``, has no key and never gets one.
"""

from collections.abc import Iterable
from typing import TypeAlias

from sqlalchemy import ColumnElement, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.commands import AccountOpen
from goldx.protocol.units import BadValue
from settlement.tables.ledger import trading_account

Legs: TypeAlias = tuple[tuple[str, str, int], ...]
"""(account, asset, amount) of each holding that moves; fen for CNY, fine mg for gold."""

CUSTODY_MEMBER = "CUSTODY"
PLEDGE, HOLD = "PLEDGE", "HOLD"
SUFFIXES = (f".{PLEDGE}", f".{HOLD}")
LONGEST = 32


def sub_account(account: str, purpose: str) -> str:
    """Return ``A.H.PLEDGE`` for ``A.H`` and PLEDGE. Raises BadValue where the name is too long for an account."""
    name = f"{account}.{purpose}"
    if len(name) > LONGEST:
        raise BadValue(
            "account", account, f"at most {LONGEST - len(purpose) - 1} characters long to have a sub-account"
        )
    return name


def owner_of(account: str) -> str:
    """Return ``A.H`` for ``A.H.PLEDGE``, and a trading account for itself."""
    for suffix in SUFFIXES:
        if account.endswith(suffix):
            return account.removesuffix(suffix)
    return account


def openings(legs: Legs, opened: Iterable[str], by: str) -> list[AccountOpen]:
    """Return the commands that open the sub-accounts of these legs that are not in ``opened``."""
    there = set(opened)
    wanted = dict.fromkeys(account for account, _, _ in legs if owner_of(account) != account)
    return [AccountOpen(name, CUSTODY_MEMBER, owner=owner_of(name), by=by) for name in wanted if name not in there]


def is_trading_account() -> ColumnElement[bool]:
    """Return the condition that an account is a trading account, which may receive money and metal.

    A sub-account is not: its gold comes from its owner's trading account, by a pledge or an order.
    """
    of_custody = or_(
        trading_account.c.member == CUSTODY_MEMBER,
        *(trading_account.c.account.endswith(suffix, autoescape=True) for suffix in SUFFIXES),
    )
    return not_(of_custody)


async def check_trading_account(connection: AsyncConnection, account: str) -> str:
    """Return the member of a trading account. Raises BadValue for an unknown one and for a sub-account."""
    wanted = select(trading_account.c.member, is_trading_account().label("trades"))
    row = (await connection.execute(wanted.where(trading_account.c.account == account))).first()
    if row is not None and not row.trades:
        allowed = f"a trading account: this one receives gold only from {owner_of(account)}, by a pledge or an order"
        raise BadValue("account", account, allowed)
    if row is None:
        raise BadValue("account", account, "a trading account that the exchange has opened")
    return str(row.member)


async def check_sub_account(connection: AsyncConnection, account: str) -> None:
    """Raise BadValue if somebody else's account has the name that a sub-account must have."""
    member = await connection.scalar(select(trading_account.c.member).where(trading_account.c.account == account))
    if member not in (None, CUSTODY_MEMBER):
        raise BadValue("account", account, f"an account of {CUSTODY_MEMBER}; it belongs to {member}")
