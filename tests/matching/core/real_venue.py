"""Five hours of a real spot venue, order by order: the input for the core, and the fills to compare with.

The log (``order_created``, ``order_changed``, ``order_deleted``, ``trade``, each with JSON) is not part of this
repository; its README stands beside it. Units here: prices in the venue's cents, amounts in its smallest part, 1e-8.

What has to be worked out:

- **Who traded.** A trade names no orders. Its two orders are the pair, one of each side, that lost exactly the trade's
  amount around its time, the older of them at the trade's price. The younger is the taker.
- **What stood before the file.** Orders older than the file are known from what happens to them later: their amount is
  what they had left in the end plus what they traded. They are given to the core first, in the order of their ids.
- **Market orders shown with a limit.** The venue shows an order's changing limit while it walks through the book. Such
  an order has more than one price in the log; price-time priority under its first limit cannot predict its fills.
"""

import lzma
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

PAIR_WITHIN_MS = 6_000
BUY, SELL = 0, 1


class Row(NamedTuple):
    number: int
    at: int
    kind: str
    order_id: int
    side: int
    price: int
    amount: int


class Fill(NamedTuple):
    """The amount that an order lost by one row; None if the order is older than the file and over."""

    row: Row
    amount: int | None


@dataclass
class Venue:
    rows: list[Row]
    created: dict[int, Row]
    older: list[Row]
    """The orders that rested before the file begins, oldest first, with the amount they had."""
    takers: dict[int, list[tuple[int, int]]]
    """The fills of each taker in order, as (maker, amount)."""
    trades: int
    paired: int
    walking: frozenset[int] = field(default_factory=frozenset)
    """Orders with more than one price: market orders shown with a limit."""


def _units(number: Any, scale: int) -> int:
    return int((Decimal(str(number)) * scale).to_integral_value())


def read_venue(path: Path) -> Venue:
    rows: list[Row] = []
    with lzma.open(path) as log:
        for number, line in enumerate(log):
            at, kind, body = line.split(b" ", 2)
            if kind == b"order_book":
                continue
            what = msgspec.json.decode(body)
            price, amount = _units(what["price"], 100), _units(what["amount"], 10**8)
            rows.append(Row(number, int(at), kind.decode(), what["id"], what.get("order_type", -1), price, amount))
    fills = _fills(rows)
    trades = [row for row in rows if row.kind == "trade"]
    pairs = _pairs(trades, fills)
    takers: dict[int, list[tuple[int, int]]] = {}
    for trade, maker, taker in sorted(pairs, key=lambda pair: pair[1].number):
        takers.setdefault(taker.order_id, []).append((maker.order_id, trade.amount))
    created = {row.order_id: row for row in rows if row.kind == "order_created"}
    prices: dict[int, set[int]] = {}
    for row in rows:
        if row.kind != "trade":
            prices.setdefault(row.order_id, set()).add(row.price)
    walking = frozenset(order for order, seen in prices.items() if len(seen) > 1)
    return Venue(rows, created, _older(rows, created, pairs), takers, len(trades), len(pairs), walking)


def _fills(rows: list[Row]) -> list[Fill]:
    left: dict[int, int] = {}
    fills = []
    for row in rows:
        if row.kind == "trade":
            continue
        if row.kind != "order_created":
            before = left.get(row.order_id)
            if before is not None:
                if before > row.amount:
                    fills.append(Fill(row, before - row.amount))
            elif row.kind == "order_changed" or row.amount == 0:
                fills.append(Fill(row, None))
        left[row.order_id] = row.amount
    return fills


def _pairs(trades: list[Row], fills: list[Fill]) -> list[tuple[Row, Row, Row]]:
    """Return (trade, the maker's row, the taker's row) of each trade whose orders are found."""
    used: set[int] = set()
    pairs = []
    for trade in trades:
        near = [
            fill
            for fill in fills
            if fill.row.number not in used
            and abs(fill.row.at - trade.at) < PAIR_WITHIN_MS
            and (fill.amount is None or abs(fill.amount - trade.amount) <= 2)
        ]
        best: tuple[int, Row, Row] | None = None
        for bid in (fill for fill in near if fill.row.side == BUY):
            for ask in (fill for fill in near if fill.row.side == SELL):
                maker, taker = (bid, ask) if bid.row.order_id < ask.row.order_id else (ask, bid)
                if maker.row.price == trade.price and taker.amount is not None:
                    distance = abs(maker.row.at - trade.at) + abs(taker.row.at - trade.at)
                    if best is None or distance < best[0]:
                        best = distance, maker.row, taker.row
        if best is not None:
            used |= {best[1].number, best[2].number}
            pairs.append((trade, best[1], best[2]))
    return pairs


def _older(rows: list[Row], created: dict[int, Row], pairs: list[tuple[Row, Row, Row]]) -> list[Row]:
    traded: Counter[int] = Counter()
    for trade, maker, taker in pairs:
        traded[maker.order_id] += trade.amount
        traded[taker.order_id] += trade.amount
    ends = {row.order_id: row for row in rows if row.kind != "trade" and row.order_id not in created}
    older = [row._replace(amount=row.amount + traded[order_id]) for order_id, row in sorted(ends.items())]
    return [row for row in older if row.amount > 0]
