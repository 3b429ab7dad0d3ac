"""Generated deals: proposals that are accepted, declined, taken back or forgotten, by their parties and by others."""

from typing import TYPE_CHECKING, Any

import msgspec

from goldx.protocol import commands, deal_commands, terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import AnyCommand

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def deal(flow: "Flow") -> AnyCommand:
    """Propose a deal, and mostly let something happen to it; or answer one that may be open or not."""
    if flow.chance(16):
        return few_holders(flow)
    if flow.chance(25):
        return answer(flow, flow.engine.state.last_deal_id - flow.dice.number(-1, 2))
    return propose_and_answer(flow, proposal(flow))


def propose_and_answer(flow: "Flow", made: deal_commands.DealPropose) -> deal_commands.DealPropose:
    """Propose a deal, and mostly let it be accepted, declined or taken back."""
    number = flow.engine.state.last_deal_id + 1
    if flow.chance(60):
        flow.queued.append(deal_commands.DealAccept(made.counter_account, number, found(flow, made)))
    elif flow.chance(60):
        flow.queued.append(answer(flow, number))
    if flow.chance(10):
        flow.queued.append(commands.AccountOpen("new", "m1", terms.CLIENT))
        flow.queued.append(
            msgspec.structs.replace(made, client_deal_id=made.client_deal_id + "n", counter_account="new")
        )
        flow.queued.append(commands.AccountRetire("new"))
    return made


def proposal(flow: "Flow") -> deal_commands.DealPropose:
    flow.orders += 1
    account, symbol = flow.account(), flow.symbol()
    others = [name for name in ("A", "A2", "B", "C") if name[0] != account[0] or flow.chance(5)]
    made = deal_commands.DealPropose(
        account,
        f"d{flow.orders - flow.dice.choose((0,) * 19 + (1,))}",
        flow.dice.choose(others),
        symbol,
        flow.dice.number(0, 1),
        flow.quantity(),
        flow.price(),
        flow.at + flow.dice.choose((0, 5, 300, 2_000, 2_000, 2_000)),
        flow.maybe(25, lambda: max(0, flow.at + flow.dice.choose((-500, -90, -90, 0, 1)))),
        flow.chance(20),
        flow.named_session(),
    )
    if flow.named_lots_percent and flow.chance(flow.named_lots_percent):
        made = of_named_lots(flow, made)
    if flow.chance(92):
        return made
    odd: tuple[dict[str, Any], ...] = (
        {"symbol": "Z"},
        {"account": "nobody"},
        {"counter_account": "nobody"},
        {"counter_account": account},
        {"quantity": made.quantity + 1},
        {"price": made.price * 100},
        {"quantity": 10**9},
    )
    changed: deal_commands.DealPropose = msgspec.structs.replace(made, **flow.dice.choose(odd))
    return changed


def of_named_lots(flow: "Flow", made: deal_commands.DealPropose) -> deal_commands.DealPropose:
    """Return the proposal with named lots, whose weight need not be a multiple of the lot of the instrument."""
    first = flow.dice.number(1, 90)
    lots = tuple(range(first, first + flow.dice.number(1, 3)))
    quantity = made.quantity + flow.dice.choose((0, 0, 1, 7, -3))
    made = msgspec.structs.replace(made, lots=lots, quantity=quantity)
    return msgspec.structs.replace(made, lots_found=found(flow, made, gives=made.side == terms.SELL))


def found(flow: "Flow", made: deal_commands.DealPropose, *, gives: bool | None = None) -> LotsFound | None:
    """Return the register's answer about named lots, seldom a wrong one; ``gives``: whether the sender gives them."""
    if not made.lots:
        return None
    gives = made.side == terms.BUY if gives is None else gives
    flow.orders += 1
    right = LotsFound(made.lots, made.quantity, flow.orders if gives else 0, flow.at + flow.dice.choose((90, 2_000)))
    if flow.chance(94):
        return right
    odd: tuple[dict[str, Any], ...] = (
        {"lots": made.lots[1:]},
        {"lots": (*made.lots, made.lots[0])},
        {"fine": right.fine + 1},
        {"reservation": 0 if gives else 5},
        {"until": max(0, flow.at - 1)},
        {"until": flow.at},
    )
    changed: LotsFound = msgspec.structs.replace(right, **flow.dice.choose(odd))
    return changed if flow.chance(85) else None


def timely(flow: "Flow", **fields: Any) -> deal_commands.DealPropose:
    """Return a proposal that is not too late, with some fields changed."""
    fields = {"expire_at": flow.at + 2_000, "agreed_at": None} | fields
    made: deal_commands.DealPropose = msgspec.structs.replace(proposal(flow), **fields)
    return made


def few_holders(flow: "Flow") -> AnyCommand:
    """Let X have few holders, and deals in it be proposed by and to an account that has none of it."""
    name = f"few{flow.orders}"
    number = flow.engine.state.last_deal_id
    flow.queued += [
        commands.MarketCancelOrders("X", "few holders"),
        commands.MarketSetPhase("X", terms.CLOSED),
        commands.InstrumentDefine("X", given=("max_holders",), max_holders=flow.dice.number(1, 4)),
        timely(flow, counter_account=name, symbol="X", side=terms.SELL),
        timely(flow, account=name, symbol="X", side=terms.BUY),
        timely(flow, counter_account=name, symbol="X", side=terms.BUY),
        deal_commands.DealAccept(name, number + flow.dice.number(1, 2)),
        commands.MarketSetPhase("X", terms.CONTINUOUS),
    ]
    return commands.AccountOpen(name, "m1", terms.CLIENT)


def answer(flow: "Flow", number: int) -> AnyCommand:
    """Accept, decline or take back the deal of a number, mostly as one of its parties."""
    found_deal = flow.engine.state.deals.get(number)
    parties = ("A", "B", "C", "nobody")
    if found_deal is not None:
        parties = (found_deal.account.name, found_deal.counter_account.name, "C", "nobody")
    who, number = flow.dice.choose(parties), max(1, number)
    lots = () if found_deal is None else found_deal.lots
    about = LotsFound(lots, 0 if found_deal is None else found_deal.quantity, flow.orders, flow.at)
    answers: tuple[AnyCommand, ...] = (
        deal_commands.DealAccept(who, number, about if lots and flow.chance(80) else None),
        deal_commands.DealDecline(who, number),
        deal_commands.DealCancel(who, number),
    )
    return flow.dice.choose(answers)
