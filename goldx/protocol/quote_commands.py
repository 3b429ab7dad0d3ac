"""The commands of market makers: many quotes at once, and limits of what they may trade.

Units as in ``goldx.protocol.commands``.
"""

from typing import ClassVar, Final, TypeAlias, get_args

import msgspec

from goldx.protocol.bases import MemberCommand


class QuoteSetProtection(MemberCommand, tag=40, frozen=True):
    """Sets the limits of a group of a member's quotes, or takes them away if neither limit is given.

    ``group`` is the name that ``quote.set`` gives, or an instrument's symbol for its quotes without one. The group is
    that of all accounts of the member. ``max_quantity``: how much gold its quotes may trade within ``window_ms`` of
    journal time, bought and sold added up. ``max_net``: how much more of it they may have bought than sold, or sold
    than bought. The trade that reaches a limit is the last: all quotes of the group are cancelled in the same command,
    and new ones are refused until ``quote.reset_protection``.
    """

    method: ClassVar[str] = "quote.set_protection"
    account: str
    group: str
    window_ms: int | None = None
    max_quantity: int | None = None
    max_net: int | None = None


class QuoteResetProtection(MemberCommand, tag=41, frozen=True):
    """Lets a group of quotes trade again after a limit was reached, and begins to count anew."""

    method: ClassVar[str] = "quote.reset_protection"
    account: str
    group: str


class MassEntry(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One entry of a ``quote.mass``: what a level of an instrument is to be from now on.

    A side without a quantity stays as it is, a quantity of zero cancels it, any other takes a price.
    """

    symbol: str
    level: int = 1
    bid_price: int | None = None
    bid_quantity: int | None = None
    ask_price: int | None = None
    ask_quantity: int | None = None


class QuoteMass(MemberCommand, tag=42, frozen=True):
    """Sets many quotes of an account; each entry takes effect or is refused by itself.

    ``group`` is that of the limits of all entries; None: each entry's symbol.
    """

    method: ClassVar[str] = "quote.mass"
    account: str
    quotes: tuple[MassEntry, ...]
    group: str | None = None
    session: str = ""

    def only_cancels(self) -> bool:
        """Return whether no entry asks for any quantity."""
        return not any(entry.bid_quantity or entry.ask_quantity for entry in self.quotes)


LimitCommand: TypeAlias = QuoteSetProtection | QuoteResetProtection
LIMIT_COMMANDS: Final[tuple[type[LimitCommand], ...]] = get_args(LimitCommand)
QuoteCommand: TypeAlias = LimitCommand | QuoteMass
