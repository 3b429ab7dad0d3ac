"""Notices: their numbers, who has to acknowledge which, and until when; against the model, over snapshots."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldx.protocol import commands
from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import AnyEvent, CommandRejected
from goldx.protocol.notice_commands import NoticeAcknowledge, NoticePublish
from goldx.protocol.notice_events import NoticeAcknowledged, NoticePublished
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.dump import dump_engine, dump_model
from tests.matching.core.model import Model
from tests.matching.core.test_against_model import essence

ACCOUNTS = {"A": "m1", "A2": "m1", "B": "m2", "C": "m3", "VENUE": "VENUE"}
TEXT = "The vault is closed on Monday."


def venue(*accounts: str) -> Engine:
    engine = Engine()
    for account in accounts or ("A", "A2", "B"):
        apply(engine, 1, commands.AccountOpen(account, ACCOUNTS[account]))
    return engine


def publish(engine: Engine, **more: Any) -> list[AnyEvent]:
    return apply(engine, 2, NoticePublish("Vault", TEXT, by="ann", **more))


def acknowledge(engine: Engine, account: str, number: int) -> list[AnyEvent]:
    return apply(engine, 3, NoticeAcknowledge(account, number))


def refused(found: list[AnyEvent]) -> str:
    (event,) = found
    assert isinstance(event, CommandRejected)
    return event.reason


def test_a_notice_is_numbered_and_names_who_has_to_acknowledge_it() -> None:
    engine = venue()
    (first,) = publish(engine, title_zh="金库", text_zh="星期一金库关闭。")
    assert first == NoticePublished(4, 2, 1, "Vault", TEXT, "金库", "星期一金库关闭。", "ann")
    (second,) = publish(engine, to_acknowledge=True, replaces=1)
    assert second == NoticePublished(5, 2, 2, "Vault", TEXT, None, None, "ann", ("m1", "m2"), 1)


def test_each_member_acknowledges_once_through_any_account() -> None:
    engine = venue()
    publish(engine, to_acknowledge=True)
    assert acknowledge(engine, "A2", 1) == [NoticeAcknowledged(5, 3, "A2", "m1", 1)]
    assert refused(acknowledge(engine, "A", 1)) == "UNKNOWN_NOTICE"
    apply(engine, 3, commands.MemberKill("m2"))
    assert acknowledge(engine, "B", 1) == [NoticeAcknowledged(8, 3, "B", "m2", 1)]
    assert engine.state.notices == {}, "nobody has to acknowledge it any more"


def test_who_came_later_need_not_acknowledge() -> None:
    engine = venue("A")
    publish(engine, to_acknowledge=True)
    apply(engine, 2, commands.AccountOpen("B", "m2"))
    assert refused(acknowledge(engine, "B", 1)) == "UNKNOWN_NOTICE"


def test_a_member_whose_accounts_are_all_retired_is_not_asked() -> None:
    engine = venue("A", "A2", "B")
    for account in ("A", "B"):
        apply(engine, 2, commands.AccountRetire(account))
    (event,) = publish(engine, to_acknowledge=True)
    assert isinstance(event, NoticePublished)
    assert event.members == ("m1",)


def test_the_venue_does_not_ask_itself_except_in_older_journals() -> None:
    engine = venue("A", "VENUE")
    for rules, asked in ((1, ("m1",)), (0, ("m1", "VENUE"))):
        (event,) = publish(engine, to_acknowledge=True, rules=rules)
        assert isinstance(event, NoticePublished)
        assert event.members == asked
    (event,) = publish(venue("VENUE"), to_acknowledge=True, rules=1)
    assert isinstance(event, NoticePublished)
    assert event.members is None


def test_a_replaced_notice_need_not_be_acknowledged() -> None:
    engine = venue()
    publish(engine, to_acknowledge=True)
    publish(engine, replaces=1)
    assert refused(acknowledge(engine, "A", 1)) == "UNKNOWN_NOTICE"
    assert refused(acknowledge(engine, "A", 2)) == "UNKNOWN_NOTICE"


@pytest.mark.parametrize("number", [0, 2, -1])
def test_only_an_earlier_notice_is_replaced(number: int) -> None:
    engine = venue()
    publish(engine)
    assert refused(publish(engine, replaces=number)) == "UNKNOWN_NOTICE"
    assert engine.state.last_notice_id == 1


def test_an_unknown_account_acknowledges_nothing() -> None:
    assert refused(acknowledge(venue(), "nobody", 1)) == "UNKNOWN_ACCOUNT"


def test_a_venue_without_members_has_nobody_to_ask() -> None:
    engine = Engine()
    (event,) = publish(engine, to_acknowledge=True)
    assert isinstance(event, NoticePublished)
    assert event.members is None
    assert engine.state.notices == {}


OPENED = st.sampled_from(["A", "B", "C", "VENUE"]).map(lambda name: commands.AccountOpen(name, ACCOUNTS[name]))
PUBLISHED = st.builds(
    NoticePublish,
    st.just("Vault"),
    st.just(TEXT),
    title_zh=st.sampled_from([None, "金库"]),
    to_acknowledge=st.booleans(),
    replaces=st.one_of(st.none(), st.none(), st.integers(0, 5)),
    by=st.just("ann"),
    rules=st.sampled_from([0, 1]),
)
ACKNOWLEDGED = st.builds(NoticeAcknowledge, st.sampled_from(["A", "B", "C", "VENUE"]), st.integers(0, 6))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(OPENED, PUBLISHED, ACKNOWLEDGED, ACKNOWLEDGED), max_size=25))
def test_generated_notices_are_as_the_model_has_them_over_snapshots(steps: list[AnyCommand]) -> None:
    engine, model = Engine(), Model()
    for command in steps:
        expected = model.apply(1, command)
        assert [essence(event) for event in apply(engine, 1, command)] == expected
        assert dump_engine(engine) == dump_model(model)
        restored = Engine.restore(engine.snapshot())
        assert restored.digest() == engine.digest()
        engine = restored


def test_a_venue_without_notices_has_the_snapshot_that_it_had_before() -> None:
    """The digest of a state that an older version could have is that of the older version."""
    engine = venue("A")
    assert b"Vault" not in engine.snapshot()
    before = engine.snapshot()
    publish(engine)
    assert len(engine.snapshot()) > len(before)
    assert refused(acknowledge(engine, "A", 1)) == "UNKNOWN_NOTICE"
