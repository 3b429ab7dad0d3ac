"""Generated requests for quotes: asked, quoted by several accounts, improved, withdrawn, accepted or forgotten."""

from typing import TYPE_CHECKING, Any

import msgspec

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.rfq_commands import RfqAccept, RfqCancel, RfqCreate, RfqQuote, RfqWithdraw
from matching.core.rfq import OpenRfq

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow

LOT = 1_000


def rfq(flow: "Flow") -> AnyCommand:
    """Ask for quotes and let several come; or let time pass, and do something about a request that is open."""
    found = list(flow.engine.state.requests.values())
    if found and flow.chance(75):
        flow.at += flow.dice.choose((0, 0, 0, 300, 300, 1_100, 1_100, 9_000))
        return act(flow, flow.dice.choose(found))
    if flow.chance(5):
        return few_holders(flow)
    made = request(flow)
    number = flow.engine.state.last_rfq_id + 1
    side = 1 - made.side
    flow.queued += [quote(flow, number, side, made.quantity) for _ in range(flow.dice.number(0, 6))]
    if flow.chance(10):
        flow.queued += [commands.AccountOpen("new", "m1", terms.CLIENT), changed(made, account="new")]
        flow.queued.append(commands.AccountRetire("new"))
    return made


def request(flow: "Flow") -> RfqCreate:
    """Return a request: mostly a good one."""
    flow.orders += 1
    grace = flow.dice.choose((1_000, 1_000, 1_000, 1_500))
    made = RfqCreate(
        flow.account(),
        f"r{flow.orders - flow.dice.choose((0,) * 19 + (1,))}",
        flow.symbol(),
        flow.dice.number(0, 1),
        flow.dice.number(1, 9) * LOT,
        flow.at + flow.dice.choose((1_600, 9_000, 30_000, 60_000, 60_000)),
        grace,
        flow.dice.choose(((), (), (), (), (), (), ("m2",), ("m1", "m3"), ("m2", "m3"))),
        flow.chance(30),
        flow.chance(20),
        flow.named_session(),
    )
    if flow.chance(93):
        return made
    odd: tuple[dict[str, Any], ...] = (
        {"symbol": "Z"},
        {"account": "nobody"},
        {"members": ("m2", "m9")},
        {"quantity": made.quantity + 1},
        {"grace_ms": 999},
        {"grace_ms": 60_001, "expire_at": flow.at + 70_000},
        {"expire_at": flow.at + grace},
    )
    return changed(made, **flow.dice.choose(odd))


def changed(made: RfqCreate, **fields: Any) -> RfqCreate:
    found: RfqCreate = msgspec.structs.replace(made, **fields)
    return found


def quote(flow: "Flow", number: int, side: int, most: int) -> RfqQuote:
    """Return a quote of any account, mostly of a possible quantity. ``side`` is the quoter's."""
    whole = flow.chance(30)
    quantity = most if whole or flow.chance(30) else flow.dice.number(1, max(1, most // LOT)) * LOT
    if flow.chance(4):
        quantity += flow.dice.choose((LOT, 1))
    price = flow.price() + (flow.dice.number(-2, 0) if side == terms.BUY else flow.dice.number(0, 2))
    known = tuple(flow.engine.state.accounts)
    account = flow.dice.choose((*known, *known, *known, "nobody"))
    session = flow.named_session().removeprefix("+")
    return RfqQuote(account, number, price, quantity, flow.chance(90) if whole else flow.chance(3), session)


def act(flow: "Flow", found: OpenRfq) -> AnyCommand:
    """Quote, withdraw, accept or cancel, mostly by who may do so; or end the session of a quote."""
    number, asker = found.rfq_id, found.account.name
    side = found.quoting_side()
    if flow.chance(45):
        return quote(flow, number, side, found.quantity)
    quoter = flow.dice.choose((*found.quotes, *found.quotes, "A", "C"))
    if flow.chance(15):
        return RfqWithdraw(quoter, number)
    if flow.chance(15) and quoter in found.quotes:
        given = found.quotes[quoter]
        return commands.SessionClose(given.account.member.name, flow.dice.choose((given.session, "k/*")))
    if flow.chance(5):
        return RfqCancel(flow.dice.choose((asker, asker, "B", "nobody")), number)
    wanted = flow.maybe(30, lambda: flow.dice.number(1, found.quantity // LOT + flow.chance(5)) * LOT)
    good = flow.price() + (4 if found.side == terms.BUY else -4)
    price = flow.dice.choose((good, good, good, flow.price(), good * 100))
    return RfqAccept(flow.dice.choose((asker,) * 9 + ("B",)), number, price, wanted)


def few_holders(flow: "Flow") -> AnyCommand:
    """Let X have few holders, and an account that has none of it ask for it and quote to buy it."""
    name = f"few{flow.orders}"
    number = flow.engine.state.last_rfq_id
    sale = changed(request(flow), symbol="X", side=terms.SELL, members=(), expire_at=flow.at + 30_000, anonymous=False)
    buy = changed(request(flow), account=name, symbol="X", side=terms.BUY, expire_at=flow.at + 30_000)
    flow.queued += [
        commands.MarketCancelOrders("X", "few holders"),
        commands.MarketSetPhase("X", terms.CLOSED),
        commands.InstrumentDefine("X", given=("max_holders",), max_holders=flow.dice.number(1, 4)),
        sale,
        msgspec.structs.replace(quote(flow, number + 1, terms.BUY, LOT), account=name),
        buy,
        commands.MarketSetPhase("X", terms.CONTINUOUS),
    ]
    return commands.AccountOpen(name, "m4", terms.CLIENT)
