"""The core against a brute-force model: the same commands, every event and the whole state compared after each."""

import os
from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goldx.protocol.commands import AnyCommand
from goldx.protocol.events import EVENTS, AnyEvent, CommandRejected, OrderCancelled, OrderRejected
from matching.core.engine import Engine
from tests.matching.core.dice import HypothesisDice, SeededDice
from tests.matching.core.driving import apply, must_end
from tests.matching.core.dump import dump_engine, dump_model
from tests.matching.core.flows import Flow
from tests.matching.core.flows_of_orders import (
    ClaimFlow,
    DeepFlow,
    LimitFlow,
    LotFlow,
    MakerFlow,
    OpeningFlow,
    PlainFlow,
    RfqFlow,
)
from tests.matching.core.model import Model
from tests.matching.core.validator import Conservation, validate

SEED = int(os.environ.get("GOLDX_TEST_SEED", "20261124"))


def essence(event: AnyEvent) -> AnyEvent:
    """Return the event without the texts for people."""
    if isinstance(event, CommandRejected):
        return msgspec.structs.replace(event, subject=None, detail=None)
    if isinstance(event, OrderRejected):
        return msgspec.structs.replace(event, detail=None)
    if isinstance(event, OrderCancelled) and event.reason == "MEMBER_LIMIT":
        return msgspec.structs.replace(event, detail=None)
    return event


class Pair:
    """A core and a model that get the same commands."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.model = Model()
        self.conservation = Conservation()
        self.happened: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        """By method and reason: the refusals of commands."""
        self.of_lots: Counter[str] = Counter()
        """The events that name lots."""

    def step(self, at: int, command: AnyCommand) -> None:
        expected = self.model.apply(at, command)
        with must_end():
            found = apply(self.engine, at, command)
            assert [essence(event) for event in found] == expected, f"at {at}: {command}"
            assert dump_engine(self.engine) == dump_model(self.model), f"at {at}: {command}"
            validate(self.engine)
            self.conservation.read(found)
            self.conservation.check(self.engine)
        self.happened.update(event.event for event in found)
        self.of_lots.update(event.event for event in found if getattr(event, "lots", None))
        self.refused.update((e.method, e.reason) for e in found if isinstance(e, CommandRejected))
        self.refused.update(("order.place", e.reason) for e in found if isinstance(e, OrderRejected))


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_generated_sequences(data: st.DataObject) -> None:
    run_generated(data)


@pytest.mark.campaign
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_many_generated_sequences(data: st.DataObject) -> None:
    run_generated(data)


def run_generated(data: st.DataObject) -> None:
    pair = Pair()
    for at, command in Flow(HypothesisDice(data)).steps(data.draw(st.integers(1, 40))):
        pair.step(at, command)


def run_seeds(seeds: range, steps: int, flow: type[Flow] = Flow) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    happened: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        pair = Pair()
        try:
            for at, command in flow(SeededDice(Random(seed))).steps(steps):
                pair.step(at, command)
        except AssertionError as error:
            error.add_note(f"seed {seed}, as {flow.__name__}(SeededDice(Random({seed}))).steps({steps})")
            raise
        happened += pair.happened
        refused += pair.refused
    return happened, refused


def test_seeded_sequences_reach_everything() -> None:
    """Every kind of event has to occur in the sequences, or they prove too little."""
    print(f"seed {SEED}")
    happened, refused = run_seeds(range(SEED, SEED + 30), 120)
    for flow in (LimitFlow, MakerFlow, ClaimFlow):
        happened += run_seeds(range(SEED, SEED + 3), 120, flow)[0]
    print(dict(happened))
    assert len(happened) == len(EVENTS), "an event that never happens"
    for reason in ("REGIME", "MAX_HOLDERS", "RESALE_LOCKED"):
        assert refused["deal.propose", reason], f"no deal is refused for {reason}"


@pytest.mark.slow
def test_many_long_sequences() -> None:
    seed = Random().randrange(10**9)
    print(f"seeds from {seed}")
    happened, refused = run_seeds(range(seed, seed + 3_000), 200)
    print(dict(happened), dict(refused))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in (1, 2))])
def test_deep_books(seed: int) -> None:
    pair = Pair()
    deepest = 0
    for at, command in DeepFlow(SeededDice(Random(SEED + seed))).steps(450):
        pair.step(at, command)
        deepest = max(deepest, len(pair.engine.state.orders))
    assert deepest > 100
    assert pair.happened["trade"] > 50


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 6))])
def test_plain_orders(seed: int) -> None:
    pair = Pair()
    for at, command in PlainFlow(SeededDice(Random(SEED + seed))).steps(400):
        pair.step(at, command)
    assert pair.happened["trade"] > 40
    assert pair.happened["order.cancelled"] > 40


def test_market_makers() -> None:
    happened: Counter[str] = Counter()
    for seed in range(6):
        pair = Pair()
        for at, command in MakerFlow(SeededDice(Random(SEED + seed))).steps(200):
            pair.step(at, command)
        happened += pair.happened
    print(dict(happened))
    assert happened["protection.triggered"] > 20
    assert happened["order.replaced"] > 5, "sides of mass quotes that are reduced where they are"


def test_requests_for_quotes() -> None:
    happened: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for seed in range(6):
        pair = Pair()
        for at, command in RfqFlow(SeededDice(Random(SEED + seed))).steps(150):
            pair.step(at, command)
        happened += pair.happened
        refused += pair.refused
    print(dict(happened), dict(refused))
    assert happened["rfq.quote_done"] > happened["rfq.accepted"] > 20, "some are filled by several quotes"
    assert refused["rfq.accept", "CANNOT_FILL"]
    assert refused["rfq.accept", "TOO_EARLY"]
    assert refused["rfq.quote", "FIRM"] > 10
    assert refused["rfq.withdraw", "FIRM"]


def test_deals_of_named_lots() -> None:
    """They occur in the sequences from the proposal to the annulment, or these prove too little."""
    of_lots: Counter[str] = Counter()
    for seed in range(4):
        pair = Pair()
        for at, command in LotFlow(SeededDice(Random(SEED + seed))).steps(200):
            pair.step(at, command)
        of_lots += pair.of_lots
    print(dict(of_lots))
    assert of_lots["deal.proposed"] > of_lots["trade"] > 20
    assert of_lots["trade.busted"] > 3


def test_openings_of_days() -> None:
    happened: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for seed in range(4):
        pair = Pair()
        for at, command in OpeningFlow(SeededDice(Random(SEED + seed))).steps(200):
            pair.step(at, command)
        happened += pair.happened
        refused += pair.refused
    print(dict(happened), dict(refused))
    assert happened["day.opening_decided"] > happened["day.ended"] > 10
    assert happened["trade"] > 10
    for method in ("market.set_phase", "timetable.step", "deal.propose", "rfq.create", "rfq.quote", "rfq.accept"):
        assert refused[method, "DAY_WAITS"], f"no {method} is refused in a day that waits"


def test_limits_of_members() -> None:
    happened: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for seed in range(4):
        pair = Pair()
        for at, command in LimitFlow(SeededDice(Random(SEED + seed))).steps(200):
            pair.step(at, command)
        happened += pair.happened
        refused += pair.refused
    print(dict(happened), dict(refused))
    assert happened["limits.changed"] > happened["limits.proposed"] > 5
    assert happened["trade"] > 20
    for method in ("order.place", "quote.mass", "rfq.quote", "deal.propose"):
        assert refused[method, "MEMBER_LIMIT"], f"no {method} is refused for a limit"


def test_claims_on_accounts() -> None:
    happened: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for seed in range(4):
        pair = Pair()
        for at, command in ClaimFlow(SeededDice(Random(SEED + seed))).steps(200):
            pair.step(at, command)
        happened += pair.happened
        refused += pair.refused
    print(dict(happened), dict(refused))
    assert happened["account.claim_changed"] > 40
    assert happened["trade"] > 20
    ways = ("order.place", "quote.set", "quote.mass", "deal.propose", "deal.accept", "rfq.create", "rfq.quote")
    for method in ways:
        assert refused[method, "CLAIM"], f"no {method} is refused for a claim"
