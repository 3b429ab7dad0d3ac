"""Whether everybody tells the same story: the members' own records, the events, and the ledger.

The events are those that the exchange has published; that the replay of its journal gives them again, byte for byte,
is what ``goldx journal verify`` says.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from goldx.demo.record import Record
from goldx.protocol import units


class Story(NamedTuple):
    """What the events say: accepted order ids, each trade's two accounts, fine milligrams traded, load-outs settled."""

    accepted: set[int]
    trades: dict[int, tuple[str, str]]
    traded_mg: int
    withdrawals: int


def read_story(events: Iterable[Mapping[str, Any]]) -> Story:
    """Folds the events in their protocol form."""
    accepted: set[int] = set()
    trades: dict[int, tuple[str, str]] = {}
    traded_mg = withdrawals = 0
    for event in events:
        if event["event"] == "order.accepted":
            accepted.add(event["order_id"])
        elif event["event"] == "trade":
            trades[event["trade_id"]] = (event["buy_account"], event["sell_account"])
            traded_mg += units.parse_weight(event["quantity"])
        elif event["event"] == "holding.settled":
            withdrawals += event["reference"].startswith("load_out:")
    return Story(accepted, trades, traded_mg, withdrawals)


def disagreements(story: Story, records: Iterable[Record], ledger_trades: int) -> list[str]:
    """Every difference in a sentence; none when all agree."""
    found: list[str] = []
    heard: dict[str, Counter[int]] = {}
    for record in records:
        if lost := set(record.acked) - story.accepted:
            found.append(f"{record.account}: {len(lost)} acknowledged orders are not in the journal, {min(lost)} first")
        if len(set(record.acked)) != len(record.acked):
            found.append(f"{record.account}: an order id was acknowledged twice")
        # Every session reads its private channel from the beginning: two of one account must not add up.
        heard[record.account] = heard.get(record.account, Counter()) | Counter(record.fills)
    for account, fills in heard.items():
        mine = Counter(trade_id for trade_id, accounts in story.trades.items() for a in accounts if a == account)
        if missing := mine - fills:
            found.append(f"{account}: {missing.total()} of its trades were never reported to it, {min(missing)} first")
        if extra := fills - mine:
            found.append(
                f"{account}: {extra.total()} trades were reported to it that did not happen, {min(extra)} first"
            )
    if ledger_trades != len(story.trades):
        found.append(f"the ledger has {ledger_trades} trades, the event stream {len(story.trades)}")
    return found
