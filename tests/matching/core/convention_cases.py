"""Convention cases: worked examples of the book's rules in neutral words, run as commands and judged by the events.

A case is one JSON object with ``setup``, ``steps`` and ``expect`` (``cases.jsonl`` beside this file explains them).
Many cases run in one core, each with its own symbol, accounts and hour, so that a whole file is one input of
``goldx replay``.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tests.matching.core.book_from_events import BookFromEvents

Case = dict[str, Any]
Json = dict[str, Any]

MODES = {
    "cancel_newest": "cancel_taker",
    "cancel_oldest": "cancel_maker",
    "cancel_both": "cancel_both",
    "decrement": "decrement",
}
REASONS = {
    "duplicate_id": "DUPLICATE_ID",
    "would_cross": "WOULD_TAKE",
    "price_band": "PRICE_LIMIT",
    "phase": "PHASE",
    "unknown_order": "UNKNOWN_ORDER",
    "bad_price": "BAD_PRICE",
    "bad_quantity": "BAD_QUANTITY",
}
HOUR = 3_600_000
FAR_MONEY = "1000000000"
FAR_GOLD = "1000000"


class Line(NamedTuple):
    """One command of a case. ``step`` counts the steps of the case from 1; 0 is preparation."""

    step: int
    command: Json


def price(number: int) -> str:
    return f"{number // 100}.{number % 100:02d}"


def trades_with_self(case: Case) -> bool:
    """Return whether the case needs self-trade prevention switched off, which this venue does not offer."""
    return case["setup"]["stp"] == "none" and "trades_with_self" in case["name"]


def commands(case: Case, number: int) -> Iterator[Line]:
    """Yield the commands of a case, the ``number``-th of a run. A ``snapshot_restore`` step is a clock.tick."""
    setup = case["setup"]
    symbol = f"C{number}"
    now = number * HOUR
    base = now

    def name(account: str) -> str:
        return f"{number}-{account}"

    def line(step: int, method: str, **params: Any) -> Line:
        return Line(step, {"at": now, "method": method, "params": params})

    extra: Json = {}
    if "band" in setup:
        extra |= {"lower_price_limit": price(setup["band"][0]), "upper_price_limit": price(setup["band"][1])}
    if "market_protection" in setup:
        extra |= {"market_protection": price(setup["market_protection"])}
    if "ref_price" in setup:
        extra |= {"reference_price": price(setup["ref_price"])}
    yield line(0, "instrument.define", symbol=symbol, tick=price(setup["tick"]), lot=str(setup["lot"]), **extra)
    groups = setup.get("groups", {})
    accounts = dict.fromkeys(step["acct"] for step in case["steps"] if "acct" in step)
    for account in [*accounts, *(("first", "second") if "last_price" in setup else ())]:
        owner = {"owner": name(groups[account])} if account in groups else {}
        yield line(0, "account.open", account=name(account), member=name(account), **owner)
        for asset, amount in (("CNY", FAR_MONEY), (symbol, FAR_GOLD)):
            reference = f"{name(account)}-{asset}"
            yield line(0, "holding.adjust", account=name(account), asset=asset, amount=amount, reference=reference)
    if "last_price" in setup:
        yield line(0, "market.set_phase", symbol=symbol, phase="continuous")
        for account, side in (("first", "sell"), ("second", "buy")):
            yield line(
                0,
                "order.place",
                account=name(account),
                client_order_id="seed",
                symbol=symbol,
                side=side,
                type="limit",
                price=price(setup["last_price"]),
                quantity="1",
            )
    if setup.get("phase", "continuous") != "continuous" or "last_price" not in setup:
        yield line(0, "market.set_phase", symbol=symbol, phase=setup.get("phase", "continuous"))
    for step, what in enumerate(case["steps"], 1):
        now = base + what["now"] if what["op"] == "clock" else now
        method, params = _step(what, symbol, name, base)
        if method == "order.place" and setup["stp"] in MODES:
            params["stp"] = MODES[setup["stp"]]
        elif method == "order.place" and trades_with_self(case):
            params["stp"] = "none"
        yield line(step, method, **params)


def _step(what: Json, symbol: str, name: Any, base: int) -> tuple[str, Json]:
    account = {"account": name(what["acct"])} if "acct" in what else {}
    match what["op"]:
        case "new":
            params = {
                **account,
                "client_order_id": what["id"],
                "symbol": symbol,
                "side": what["side"],
                "type": what.get("type", "limit"),
                "quantity": str(what["qty"]),
                "time_in_force": what.get("tif", "gtc").upper(),
                "session": what["acct"],
                "persist": not what.get("cod", True),
                "post_only": what.get("post_only", False),
            }
            for neutral, ours in (("price", "price"), ("stop", "stop_price")):
                if neutral in what:
                    params[ours] = price(what[neutral])
            if "display" in what:
                params["display_quantity"] = str(what["display"])
            if "expire" in what:
                params["expire_at"] = base + what["expire"]
            return "order.place", params
        case "amend":
            changed = {"price": price(what["price"])} if "price" in what else {}
            changed |= {"quantity": str(what["qty"])} if "qty" in what else {}
            return "order.replace", {**account, "client_order_id": what["id"], **changed}
        case "cancel":
            return "order.cancel", {**account, "client_order_id": what["id"]}
        case "mass_cancel":
            side = {"side": what["side"]} if "side" in what else {}
            return "order.cancel_all", {**account, "symbol": symbol, **side}
        case "disconnect":
            return "session.close", {"member": name(what["acct"]), "session": what["acct"]}
        case "uncross":
            return "market.set_phase", {"symbol": symbol, "phase": "continuous"}
        case "phase":
            return "market.set_phase", {"symbol": symbol, "phase": what["phase"]}
        case "kill":
            return "member.kill", {"member": name(what["acct"])}
        case "session_end":
            return "market.end_day", {"next_trading_day": "2026-11-25"}
        case "clock" | "snapshot_restore":
            return "clock.tick", {}
    raise ValueError(f"step {what['op']!r} is not known")


def judge(case: Case, outcome: list[tuple[int, Json]]) -> None:
    """Compare the events of a case, each with its step, with what the case expects. Raises AssertionError."""
    seen = BookFromEvents()
    rejects: dict[str, str] = {}
    trades: list[list[Any]] = []
    unfillable: set[str] = set()
    symbol = ""
    for step, event in outcome:
        seen.read(event)
        if event["event"] == "instrument.defined":
            symbol = event["symbol"]
        if event["event"] in ("order.rejected", "command.rejected"):
            if event["reason"] == "CANNOT_FILL":
                unfillable.add(event["client_order_id"])
            else:
                rejects[str(step)] = event["reason"]
        elif event["event"] == "trade" and step > 0:
            trades.append(_trade(seen, step, event))
    expect = case["expect"]
    assert rejects == {step: REASONS[reason] for step, reason in expect["rejects"].items()}, "refusals"
    assert _merged(trades) == _merged(expect["trades"]), "trades"
    if "book" in expect:
        for side, ours in (("bids", "buy"), ("asks", "sell")):
            found = [
                [level, [[seen.orders[i].client_order_id, _lots(visible)] for i, visible in queue]]
                for level, queue in seen.book(symbol, ours)
            ]
            assert found == expect["book"][side], side
    by_client_id = {order.client_order_id: order for order in seen.orders.values()}
    for client_id, (status, filled, left) in expect.get("orders", {}).items():
        if client_id in unfillable:
            assert (status, filled, left) == ("cancelled", 0, 0), client_id
        else:
            order = by_client_id[client_id]
            assert [order.status, _lots(order.filled), _lots(order.remaining)] == [status, filled, left], client_id


def _trade(seen: BookFromEvents, step: int, event: Json) -> list[Any]:
    maker, taker = seen.orders[event["maker_order_id"]], seen.orders[event["taker_order_id"]]
    if event["taker_side"] is None and taker.side == "sell":  # neutral form of an uncross: buyer first
        maker, taker = taker, maker
    level = event["price"].replace(".", "")
    return [step, taker.client_order_id, maker.client_order_id, int(level), int(event["quantity"])]


def _lots(mg: int) -> int:
    assert mg % 1_000 == 0
    return mg // 1_000


def _merged(trades: list[list[Any]]) -> list[list[Any]]:
    merged: list[list[Any]] = []
    for trade in trades:
        if merged and merged[-1][:4] == trade[:4]:
            merged[-1][4] += trade[4]
        else:
            merged.append(list(trade))
    return merged


def read_cases(text: bytes) -> list[Case]:
    """Return the cases of a JSON-lines text; lines without a name (the explanation) are left out."""
    return [case for line in text.splitlines() if line.strip() and "name" in (case := msgspec.json.decode(line))]
