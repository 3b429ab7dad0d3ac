"""The full state of the core and of the model in one common form, so that they can be compared."""

from itertools import zip_longest
from typing import Any

from goldx.protocol import terms, units
from matching.core.deal import Deal
from matching.core.engine import Engine
from matching.core.instrument import Instrument
from matching.core.orders import Order, Special
from matching.core.rfq import OpenRfq, OpenRfqQuote
from tests.matching.core.model import TERMS, Model
from tests.matching.core.model_limit_setting import TERMS as LIMITS
from tests.matching.core.model_limits import bought, count_open, sold
from tests.matching.core.model_parts import Asked, Offer, Proposal
from tests.matching.core.model_regime import TERMS as REGIME_TERMS

Dump = dict[str, Any]


def dump_engine(engine: Engine) -> Dump:
    state = engine.state
    return {
        "counters": (state.sequence, state.last_order_id, state.last_trade_id, state.fees_collected, state.day),
        "trading_day": state.trading_day,
        "opening": (state.opening, state.obstacle),
        "proposed": {
            s: (dict(zip_longest(TERMS[1:], values)), by) for s, (values, by) in state.proposed_terms.items() if s
        },
        "asked_to_end": [(*values, by) for s, (values, by) in state.proposed_terms.items() if not s],
        "asked_regime": [(list(values), by) for values, by in filter(None, [state.proposed_regime])],
        "regime": None if state.regime is None else list(state.regime.values()),
        "traded": (state.day_value, state.total_value),
        "instruments": {symbol: _instrument(one) for symbol, one in state.instruments.items()},
        "books": {
            (symbol, side): _queues(one, side)
            for symbol, one in state.instruments.items()
            for side in (terms.BUY, terms.SELL)
        },
        "orders": {number: _order(order) for number, order in state.orders.items()},
        "holdings": {
            (account.name, asset): (b.total, b.reserved, b.locked, b.unwithdrawable)
            for account in state.accounts.values()
            for asset, b in account.balances.items()
            if (b.total, b.reserved, b.locked, b.unwithdrawable) != (0, 0, 0, 0)
        },
        "members": {name: member.refusal for name, member in state.members.items()},
        "limits": {
            (name, group): (p.window_ms, p.max_quantity or None, p.max_net or None, p.frozen, p.within(state.now))
            for name, member in state.members.items()
            for group, p in member.protections.items()
        },
        "limits_of_members": _limits(engine),
        "claims": {one.name: (one.claims, one.owed) for one in state.accounts.values() if one.claims},
        "ids": {account.name: dict(account.ids.items()) for account in state.accounts.values()},
        "retired": [account.name for account in state.accounts.values() if account.retired],
        "older_ids": {account.name: account.older_ids for account in state.accounts.values()},
        "busts": (list(state.busted), {number: by for number, (by, _) in state.bust_proposals.items()}),
        "deals": [_deal(deal) for deal in state.deals.values()],
        "deal_ids": (state.last_deal_id, state.deal_ids),
        "unpublished": {number: at for number, (at, _) in state.unpublished.items()},
        "notices": (state.last_notice_id, {number: list(names) for number, names in state.notices.items()}),
        "requests": [_request(request) for request in state.requests.values()],
        "rfq_ids": (state.last_rfq_id, state.last_rfq_quote_id, state.rfq_ids),
    }


def _limits(engine: Engine) -> Any:
    state = engine.state
    counted = [member for member in state.members.values() if member.counted_after is not None]
    subjects = [(member.name, "", member.limits) for member in state.members.values()]
    subjects += [(account.member.name, account.name, account.limits) for account in state.accounts.values()]
    limited = {(member, account): list(one.values()) for member, account, one in subjects if one is not None}
    usages = {member.name: member.usage for member in counted}
    usages |= {account.name: account.usage for member in counted for account in member.accounts}
    used = {
        name: None if usage is None else (usage.open_orders, usage.net_purchases(), usage.net_sales())
        for name, usage in usages.items()
    }
    return limited, used, {subject: (list(values), by) for subject, (values, by) in state.proposed_limits.items()}


def _model_limits(model: Model) -> Any:
    subjects = {of: [getattr(c, name) for name in LIMITS] for of, c in model.limits_of_members.items()}
    limited = {of: values for of, values in subjects.items() if any(value is not None for value in values)}
    counted = {one.name: [one] for one in model.accounts.values() if one.member in model.limits_count_after}
    for member in model.limits_count_after:
        counted[member] = [one for one in model.accounts.values() if one.member == member]
    used = {
        name: (count_open(model, [one.name for one in accounts]), bought(model, accounts), sold(model, accounts))
        for name, accounts in counted.items()
    }
    return limited, used, model.asked_limits


def _instrument(one: Instrument) -> Any:
    proposed = (one.proposed_price, one.proposed_by) if one.proposed_price else None
    prices = (one.reference or None, one.last or None, one.indicated, proposed)
    return (one.phase, one.retired, *prices, one.interrupted_until or None)


def _queues(one: Instrument, side: int) -> list[tuple[int, list[int]]]:
    queues = []
    for level in one.own(side).levels_best_first():
        numbers = []
        order = level.head
        while order is not None:
            numbers.append(order.order_id)
            order = order.next
        queues.append((level.price, numbers))
    return queues


def _order(order: Order) -> Any:
    special = order.special
    market = special is not None and special.market
    waiting = special is not None and special.pending
    return {
        "names": (order.account.name, order.client_order_id, order.instrument.symbol),
        "terms": (order.side, None if market else order.price, order.time_in_force, order.session),
        "quantities": (order.quantity, order.remaining, 0 if waiting else order.visible()),
        "money": (order.reserved, order.residue),
        "waiting": waiting,
        "special": _special(special or Special()),
    }


def _deal(deal: Deal) -> Any:
    parties = (deal.account.name, deal.client_deal_id, deal.counter_account.name)
    what = (deal.instrument.symbol, deal.side, deal.quantity, deal.price, deal.expire_at, deal.agreed_at)
    return deal.deal_id, *parties, *what, deal.session, deal.reserved, deal.lots


def _request(request: OpenRfq) -> Any:
    names = (request.account.name, request.client_rfq_id, request.instrument.symbol)
    what = (request.side, request.quantity, request.grace_until, request.expire_at, request.members, request.anonymous)
    return request.rfq_id, *names, *what, request.session, [_rfq_quote(quote) for quote in request.quotes.values()]


def _rfq_quote(quote: OpenRfqQuote) -> Any:
    terms_given = (quote.account.name, quote.price, quote.quantity, quote.all_or_none)
    return quote.quote_id, *terms_given, quote.firm_until, quote.session, quote.leaves, quote.reserved


def _model_request(model: Model, request: Asked) -> Any:
    c = request.asked
    kept = "" if c.persist and not c.session.startswith("+") else c.session
    what = (c.account, c.client_rfq_id, c.symbol, c.side, c.quantity, request.at + c.grace_ms, c.expire_at, c.members)
    return request.number, *what, c.anonymous, kept, [_model_offer(model, request, offer) for offer in request.offers]


def _model_offer(model: Model, request: Asked, offer: Offer) -> Any:
    c = offer.given
    what = (c.account, c.price, c.quantity, c.all_or_none, offer.firm_until, c.session, offer.leaving)
    return offer.number, *what, model.offered(request, offer)[1]


def _model_deals(model: Model) -> Dump:
    return {
        "deals": [_model_deal(model, deal) for deal in model.deals],
        "deal_ids": (model.last_deal_id, model.deal_ids),
        "unpublished": {number: at for number, (at, _) in model.to_publish.items()},
        "notices": (len(model.asked), model.waiting()),
        "requests": [_model_request(model, request) for request in model.requests],
        "rfq_ids": (model.last_rfq_id, model.last_offer, model.rfq_ids),
        "limits_of_members": _model_limits(model),
        "claims": {a.name: (a.claims, sum(a.claims.values())) for a in model.accounts.values() if a.claims},
        "opening": model.opening(),
    }


def _model_deal(model: Model, deal: Proposal) -> Any:
    c = deal.asked
    kept = "" if c.persist and not c.session.startswith("+") else c.session
    what = (c.symbol, c.side, c.quantity, c.price, c.expire_at, c.agreed_at)
    parties = (c.account, c.client_deal_id, c.counter_account)
    return deal.number, *parties, *what, kept, model.gives(c, c.side)[1], c.lots


def _special(special: Special) -> Any:
    return (
        special.display,
        special.stop_price,
        special.expire_at,
        special.post_only,
        special.stp,
        special.quote_id,
        special.group,
        special.level,
    )


def dump_model(model: Model) -> Dump:
    from tests.matching.core.model_rules import could_use

    sides = [(symbol, side) for symbol in model.instruments for side in (terms.BUY, terms.SELL)]
    holdings = {(a.name, asset): model.holding(a, asset) for a in model.accounts.values() for asset in a.total}
    return {
        "counters": (model.sequence, model.last_order_id, model.last_trade_id, model.fees_collected, model.day),
        "trading_day": model.trading_day,
        "proposed": model.proposed,
        "asked_to_end": [model.asked_to_end] if model.asked_to_end[0] else [],
        "asked_regime": [] if model.asked_regime[0] is None else [model.asked_regime],
        "regime": None if model.regime is None else [getattr(model.regime, name) for name in REGIME_TERMS],
        "traded": (model.day_value, model.total_value),
        "instruments": {
            symbol: (
                one.phase,
                one.retired,
                one.reference,
                one.last,
                one.indicated,
                one.proposed,
                one.interrupted_until,
            )
            for symbol, one in model.instruments.items()
        },
        "books": {(symbol, side): _model_queues(model, symbol, side) for symbol, side in sides},
        "orders": {
            order.order_id: {
                "names": (order.account.name, order.client_order_id, order.symbol),
                "terms": (order.side, order.price, order.time_in_force, order.kept_session()),
                "quantities": (order.quantity, order.remaining, 0 if order.pending else order.shown),
                "money": (could_use(order, model.instruments[order.symbol])[1], order.fee_residue),
                "waiting": order.pending,
                "special": (
                    order.display or 0,
                    order.stop_price or 0,
                    order.expire_at or 0,
                    order.post_only,
                    order.stp,
                    order.quote_id,
                    order.group,
                    order.level,
                ),
            }
            for order in sorted(model.orders, key=lambda o: o.order_id)
        },
        "holdings": {name: holding for name, holding in holdings.items() if holding != (0, 0, 0, 0)},
        "members": {
            name: "KILLED" if member.killed else "HALTED" if member.halted else ""
            for name, member in model.members.items()
        },
        "limits": {
            of: (
                limits.window_ms,
                limits.max_quantity,
                limits.max_net,
                limits.frozen,
                (limits.traded(model.at, terms.BUY), limits.traded(model.at, terms.SELL)),
            )
            for of, limits in model.limits.items()
        },
        "ids": {account.name: account.used_ids for account in model.accounts.values()},
        "retired": [account.name for account in model.accounts.values() if account.retired],
        "older_ids": {
            account.name: {name for name, day in account.used_on.items() if day < model.day}
            for account in model.accounts.values()
        },
        "busts": (model.busted, {number: by for number, (by, _) in model.asked_for.items()}),
        **_model_deals(model),
    }


def _model_queues(model: Model, symbol: str, side: int) -> list[tuple[int, list[int]]]:
    queues: dict[int, list[int]] = {}
    for order in model.resting(symbol, side):
        queues.setdefault(order.price or 0, []).append(order.order_id)
    return list(queues.items())


def money_of_all(dump: Dump, asset: str = units.CASH) -> int:
    return sum(holding[0] for (_, held), holding in dump["holdings"].items() if held == asset)
