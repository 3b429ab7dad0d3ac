"""How limits of members are set: by one person or by two, for whom, until when; and what they are in a snapshot."""

from typing import Any

import pytest

from goldx.protocol import commands
from goldx.protocol.events import AnyEvent, CommandRejected
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.limit_events import LimitsChanged, LimitsProposed
from goldx.protocol.quote_commands import MassEntry, QuoteMass
from goldx.protocol.rfq_commands import RfqCreate, RfqQuote
from matching.core.engine import Engine
from tests.matching.core.limited_market import BUY, GRAM, NOON, SELL, YUAN, limit, limited, market, order, refusal, send


def in_force(engine: Engine, member: str = "MA") -> tuple[int | None, ...] | None:
    limits = engine.state.members[member].limits
    return None if limits is None else limits.values()


def reason(event: AnyEvent) -> tuple[str, str]:
    assert isinstance(event, CommandRejected)
    return event.reason, event.detail or ""


def test_one_person_sets_and_lowers_limits() -> None:
    engine = market()
    first = limit(engine, max_open_orders=5, max_net_purchases=100)
    assert first == LimitsChanged(first.sequence, NOON, "MA", None, None, None, 5, 100, None, "a limit", "ann")
    assert isinstance(limit(engine, max_open_orders=4, max_net_purchases=100, max_net_sales=0), LimitsChanged)
    assert in_force(engine) == (None, None, 4, 100, 0)


@pytest.mark.parametrize(
    "after",
    [{"max_open_orders": 6, "max_net_sales": 3}, {"max_open_orders": 5}, {"max_net_sales": 3}, {}],
    ids=["raised", "one taken away", "another taken away", "all taken away"],
)
def test_two_persons_raise_limits_or_take_them_away(after: Any) -> None:
    engine = limited(max_open_orders=5, max_net_sales=3)
    before = in_force(engine)
    assert isinstance(limit(engine, **after), LimitsProposed)
    assert isinstance(limit(engine, **after), LimitsProposed), "the same person again"
    assert in_force(engine) == before
    changed = limit(engine, by="bob", **after)
    assert isinstance(changed, LimitsChanged)
    assert (changed.by, changed.proposed_by) == ("bob", "ann")
    assert in_force(engine) != before
    assert engine.state.proposed_limits == {}


def test_two_persons_have_to_name_the_same_limits() -> None:
    engine = limited(max_open_orders=5)
    limit(engine, max_open_orders=7)
    assert isinstance(limit(engine, by="bob", max_open_orders=8), LimitsProposed)
    assert isinstance(limit(engine, by="ann", max_open_orders=8), LimitsChanged)


def test_what_is_lower_in_one_limit_and_higher_in_another_takes_two() -> None:
    engine = limited(max_open_orders=5, max_net_sales=3)
    assert isinstance(limit(engine, max_open_orders=1, max_net_sales=4), LimitsProposed)
    assert in_force(engine) == (None, None, 5, None, 3)


def test_a_lower_limit_ends_what_was_proposed() -> None:
    engine = limited(max_open_orders=5)
    limit(engine, max_open_orders=9)
    limit(engine, by="cid", max_open_orders=2)
    assert isinstance(limit(engine, by="bob", max_open_orders=9), LimitsProposed)


def test_a_proposal_ends_with_the_trading_day() -> None:
    engine = limited(max_open_orders=5)
    limit(engine, max_open_orders=9)
    send(engine, commands.MarketEndDay("2026-12-01"))
    assert isinstance(limit(engine, by="bob", max_open_orders=9), LimitsProposed)


def test_proposals_for_a_member_and_for_its_accounts_are_apart() -> None:
    engine = limited(max_open_orders=5)
    limit(engine, account="a", max_open_orders=5)
    limit(engine, account="a2", max_open_orders=5)
    limit(engine)
    for account in ("a", "a2"):
        assert isinstance(limit(engine, account=account, by="bob"), LimitsProposed)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (LimitsSet("MX", "r", max_open_orders=1), ("UNKNOWN_MEMBER", "")),
        (LimitsSet("MA", "r", "b", max_open_orders=1), ("UNKNOWN_ACCOUNT", "account: MA has no account b")),
        (LimitsSet("MA", "r", "x", max_open_orders=1), ("UNKNOWN_ACCOUNT", "account: MA has no account x")),
        (LimitsSet("MA", " ", max_open_orders=1), ("BAD_VALUE", "reason: a text for the records")),
        (LimitsSet("MA", "r", max_net_sales=-1), ("BAD_VALUE", "max_net_sales: zero or more")),
        (LimitsSet("MA", "r"), ("BAD_VALUE", "these limits are in force already")),
        (LimitsSet("MA", "r", "a"), ("BAD_VALUE", "these limits are in force already")),
    ],
    ids=["member", "another member's account", "account", "reason", "below zero", "nothing", "nothing for an account"],
)
def test_what_cannot_be_set_changes_nothing(command: LimitsSet, expected: tuple[str, str]) -> None:
    engine = market()
    before = engine.snapshot()
    (event,) = send(engine, command, at=0)
    assert reason(event) == expected
    assert isinstance(event, CommandRejected)
    assert event.account is None, "it would be published to the member of that account"
    engine.state.sequence -= 1
    assert engine.snapshot() == before


def test_a_member_without_limits_keeps_the_fast_path_and_one_with_limits_leaves_it() -> None:
    engine = limited(max_open_orders=5)
    general = engine.state.general_commands
    send(engine, order("o1", SELL, 1, 600, "b"), order("o2", BUY, 1, 600, "c"), order("o3", BUY, 1, 600, "c"))
    assert engine.state.general_commands == general
    send(engine, order("o4", BUY, 1, 600))
    assert engine.state.general_commands == general + 1


def test_a_member_whose_limits_are_gone_has_the_fast_path_again_from_the_next_day_on() -> None:
    engine = limited("a", max_open_orders=5)
    send(engine, order("o1", BUY, 1, 600))
    for by in ("ann", "bob"):
        limit(engine, account="a", by=by)
    counted = [account.name for account in engine.state.accounts.values() if account.general]
    assert counted == ["a", "a2"], "what they do on this day counts if they get a limit again"
    send(engine, commands.MarketEndDay("2026-12-01"))
    assert all(not account.general and account.usage is None for account in engine.state.accounts.values())


def test_what_a_member_did_before_is_not_forgotten_if_its_limits_are_gone_for_a_while() -> None:
    engine = limited(max_net_purchases=1_000 * YUAN)
    send(engine, order("ask", SELL, 1, 600, "b"), order("o1", BUY, 1, 600))
    for by in ("ann", "bob"):
        limit(engine, by=by)
    limit(engine, max_net_purchases=1_000 * YUAN)
    assert refusal(engine, order("o2", BUY, 1, 600)).endswith("has used 600.00 CNY, and this would add 600.00 CNY")


def full_state(**more: Any) -> Engine:
    """Return a market with limits, a proposal, trades and all kinds of open orders of their member."""
    engine = limited(max_net_purchases=9_000 * YUAN, max_open_orders=9, **more)
    limit(engine, account="a2", max_net_sales=5 * GRAM)
    limit(engine, by="bob", max_open_orders=20)
    send(engine, order("ask", SELL, 1, 600, "b"), order("o1", BUY, 1, 600), order("o2", BUY, 2, 500, "a2"))
    send(engine, order("o3", BUY, 2, 500, stop_price=700 * YUAN))
    send(engine, QuoteMass("a", (MassEntry("AU", 1, 499 * YUAN, GRAM, 700 * YUAN, GRAM),)))
    send(engine, RfqCreate("b", "r1", "AU", BUY, GRAM, NOON + 60_000), RfqQuote("a", 1, 600 * YUAN, GRAM))
    return engine


def test_limits_and_what_counts_towards_them_are_in_a_snapshot() -> None:
    engine = full_state()
    again = Engine.restore(engine.snapshot())
    assert again.digest() == engine.digest()
    assert again.state.proposed_limits == engine.state.proposed_limits
    for core in (engine, again):
        a, a2 = core.state.accounts["a"], core.state.accounts["a2"]
        assert a.usage is not None
        assert a2.usage is not None
        assert (a.usage.open_orders, a2.usage.open_orders) == (4, 1)
        assert (a.usage.paid, a.usage.sold) == (600 * YUAN, -GRAM)
        assert a.general
        assert a2.limits is not None
        assert a2.limits.values() == (None, None, None, None, 5 * GRAM)
        assert core.state.members["MA"].counted_after == 0
        of_member = core.state.members["MA"].usage
        assert of_member is not None
        assert (of_member.open_orders, of_member.net_purchases(), of_member.net_sales()) == (5, 3_099 * YUAN, GRAM)
        assert refusal(core, order("o9", SELL, 6, 600, "a2")).startswith("max_net_sales: account a2")


def test_a_state_without_limits_has_the_snapshot_of_older_versions() -> None:
    engine = market()
    before = engine.snapshot()
    limit(engine, max_open_orders=1)
    assert engine.snapshot() != before
    for by in ("ann", "bob"):
        limit(engine, by=by)
    send(engine, commands.MarketEndDay("2026-12-01"))
    other = market()
    other.state.sequence = engine.state.sequence - 1
    other.state.now = other.state.at = NOON
    send(other, commands.MarketEndDay("2026-12-01"))
    assert engine.snapshot() == other.snapshot()
