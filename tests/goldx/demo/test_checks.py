"""The demonstration's last comparison notices every kind of disagreement."""

import copy
from typing import Any

import pytest

from goldx.demo.checks import find_disagreements, summarize
from goldx.demo.record import SessionRecord

EVENTS: list[dict[str, Any]] = [
    {"event": "order.accepted", "order_id": 1},
    {"event": "order.accepted", "order_id": 2},
    {"event": "trade", "trade_id": 1, "buy_account": "A", "sell_account": "B", "quantity": "2.5"},
    {"event": "trade", "trade_id": 2, "buy_account": "B", "sell_account": "A", "quantity": "1"},
    {"event": "holding.settled", "reference": "load_out:1"},
]
RECORDS = [
    SessionRecord("A", acked=[1], fills=[1, 2]),
    SessionRecord("B", acked=[2], fills=[1, 2]),
    SessionRecord("B", fills=[1]),
]


def test_records_that_agree_have_no_disagreements() -> None:
    published = summarize(EVENTS)
    assert (len(published.trades), published.traded_mg, published.withdrawals) == (2, 3_500, 1)
    assert find_disagreements(published, RECORDS, ledger_trades=2) == []


@pytest.mark.parametrize(
    ("index", "field", "value", "sentence"),
    [
        (0, "acked", [1, 7], "A: 1 acknowledged orders are not in the journal, 7 first"),
        (0, "acked", [1, 1], "A: an order id was acknowledged twice"),
        (0, "fills", [1], "A: 1 of its trades were never reported to it, 2 first"),
        (1, "fills", [1, 2, 9], "B: 1 trades were reported to it that did not happen, 9 first"),
        (1, "fills", [1, 2, 2], "B: 1 trades were reported to it that did not happen, 2 first"),
    ],
)
def test_a_member_with_other_records_is_named(index: int, field: str, value: list[int], sentence: str) -> None:
    records = copy.deepcopy(RECORDS)
    setattr(records[index], field, value)
    assert find_disagreements(summarize(EVENTS), records, ledger_trades=2) == [sentence]


def test_a_ledger_with_another_count_is_named() -> None:
    assert find_disagreements(summarize(EVENTS), RECORDS, 1) == ["the ledger has 1 trades, the event stream 2"]
