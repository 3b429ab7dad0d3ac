"""Generated command sequences of market makers: quotes in groups with limits, and orders that trade with them."""

from typing import Protocol

import msgspec

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.quote_commands import MassEntry, QuoteMass, QuoteResetProtection, QuoteSetProtection
from tests.matching.core.dice import Dice


class Making(Protocol):
    """A flow, as the steps of market makers use it."""

    dice: Dice
    queued: list[AnyCommand]
    orders: int

    def chance(self, percent: int) -> bool: ...
    def symbol(self) -> str: ...
    def quote(self) -> AnyCommand: ...


LOT = 1_000
GROUPS = ("X", "X", "Y", "g")
MAKERS = ("B", "C", "A", "A2")


def limits(flow: Making) -> AnyCommand:
    """Set limits of a group: mostly ones that are soon reached, seldom impossible ones; or take them away."""
    choose, number = flow.dice.choose, flow.dice.number
    quantity = choose((None, number(1, 12) * LOT, number(1, 12) * LOT))
    net = choose((None, number(1, 6) * LOT, number(1, 6) * LOT))
    window: int | None = choose((1, 5, 300, 5_000, 5_000))
    if flow.chance(5):
        window, quantity, net = choose(((None, 1, 1), (0, 1, 1), (3_600_001, 1, 1), (1, 0, 1), (1, 1, 10**12 + 1)))
    return QuoteSetProtection(choose((*MAKERS, "nobody")), choose(GROUPS), window, quantity, net)


def reset(flow: Making) -> AnyCommand:
    return QuoteResetProtection(flow.dice.choose((*MAKERS, "nobody")), flow.dice.choose(GROUPS))


def grouped_quote(flow: Making) -> AnyCommand:
    """Return a quote with the name of a group, or with none."""
    quote = flow.quote()
    if not isinstance(quote, commands.QuoteSet):
        return quote
    changed: AnyCommand = msgspec.structs.replace(quote, group=flow.dice.choose((None, None, "g", "X")))
    return changed


def mass(flow: Making) -> AnyCommand:
    """Return quotes of several levels, among them sides that stay, that are cancelled, and ones that are repeated."""
    choose, number = flow.dice.choose, flow.dice.number
    entries = []
    for _ in range(number(1, 4)):
        middle = 100 + number(-2, 2)
        sizes = [choose((None, 0, *[number(1, 5) * LOT] * 4)) for _ in range(2)]
        prices = (middle - number(0, 3), middle + number(1, 3))
        if flow.chance(4):
            sizes, prices = [-LOT, LOT + 1], (0, middle)
        entries.append(
            MassEntry(
                choose(("X", "X", "X", "Y", "Z")) if flow.chance(20) else "X",
                choose((1, 1, 2, 3)) if flow.chance(97) else choose((0, 11)),
                None if sizes[0] is None else prices[0],
                sizes[0],
                prices[1] if flow.chance(95) else None,
                sizes[1],
            )
        )
    account = choose((*MAKERS, *MAKERS, "nobody"))
    made = QuoteMass(account, tuple(entries), choose((None, None, None, "g")), choose(("s1", "s1", "k/a")))
    if flow.chance(40):
        flow.queued.append(made if flow.chance(50) else msgspec.structs.replace(made, quotes=smaller(flow, made)))
    return made


def smaller(flow: Making, made: QuoteMass) -> tuple[MassEntry, ...]:
    """Return the entries with a lot less on some sides, or with other prices."""
    changed = []
    for entry in made.quotes:
        less = flow.dice.choose((0, LOT, LOT))
        sizes = [None if size is None else max(0, size - less) for size in (entry.bid_quantity, entry.ask_quantity)]
        moved = flow.dice.choose((0, 0, 0, 4))
        prices = [None if price is None else price + moved for price in (entry.bid_price, entry.ask_price)]
        changed.append(MassEntry(entry.symbol, entry.level, prices[0], sizes[0], prices[1], sizes[1]))
    return tuple(changed)


def sweep(flow: Making) -> AnyCommand:
    """Return an order that trades with several quotes, if it can."""
    flow.orders += 1
    choose, side = flow.dice.choose, flow.dice.number(0, 1)
    kind = choose((terms.LIMIT, terms.LIMIT, terms.MARKET))
    price = None if kind == terms.MARKET else 100 + (6 if side == terms.BUY else -6)
    quantity = flow.dice.number(2, 20) * LOT
    lasts = choose((terms.IOC, terms.FOK, terms.FOK, terms.GTC, terms.DAY))
    return commands.OrderPlace(
        choose(("A", "C", "B")), f"o{flow.orders}", flow.symbol(), side, kind, quantity, price, lasts
    )


def maker_steps(flow: Making) -> AnyCommand:
    """Set limits, quote, and trade with the quotes; then let the group trade again."""
    first = limits(flow)
    flow.queued += [grouped_quote(flow) for _ in range(flow.dice.number(1, 4))]
    flow.queued += [mass(flow), sweep(flow), mass(flow), sweep(flow), grouped_quote(flow)]
    if isinstance(first, QuoteSetProtection) and flow.chance(70):
        flow.queued += [QuoteResetProtection(first.account, first.group), grouped_quote(flow)]
    return first
