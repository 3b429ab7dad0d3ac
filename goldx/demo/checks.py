"""The last comparison: the members' own records, the published events and the ledger must agree.

That the replay of the journal gives the published events again, byte for byte, is checked by ``goldx journal verify``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from goldx.demo.record import SessionRecord
from goldx.protocol import units


class EventSummary(NamedTuple):
    """Accepted order ids, each trade's two accounts, fine milligrams traded, load-outs settled."""

    accepted: set[int]
    trades: dict[int, tuple[str, str]]
    traded_mg: int
    withdrawals: int


def summarize(events: Iterable[Mapping[str, Any]]) -> EventSummary:
    """Return the summary of events in their protocol form."""
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
    return EventSummary(accepted, trades, traded_mg, withdrawals)


def find_disagreements(published: EventSummary, records: Iterable[SessionRecord], ledger_trades: int) -> list[str]:
    """Return a sentence for every difference; none when all agree."""
    found: list[str] = []
    reported: dict[str, Counter[int]] = {}
    for record in records:
        if lost := set(record.acked) - published.accepted:
            found.append(f"{record.account}: {len(lost)} acknowledged orders are not in the journal, {min(lost)} first")
        if len(set(record.acked)) != len(record.acked):
            found.append(f"{record.account}: an order id was acknowledged twice")
        # Every session reads its private channel from the beginning: two of one account must not add up.
        reported[record.account] = reported.get(record.account, Counter()) | Counter(record.fills)
    for account, fills in reported.items():
        own = Counter(trade_id for trade_id, accounts in published.trades.items() for a in accounts if a == account)
        if missing := own - fills:
            found.append(f"{account}: {missing.total()} of its trades were never reported to it, {min(missing)} first")
        if extra := fills - own:
            found.append(
                f"{account}: {extra.total()} trades were reported to it that did not happen, {min(extra)} first"
            )
    if ledger_trades != len(published.trades):
        found.append(f"the ledger has {ledger_trades} trades, the event stream {len(published.trades)}")
    return found
