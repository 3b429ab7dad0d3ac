"""Each block of docs/matching.md is run on a fresh core, and its events compared."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from goldx.protocol import wire
from matching.core.engine import Engine
from tests.matching.core.driving import apply

PAGE = Path(__file__).parents[3] / "docs" / "matching.md"
BLOCKS = re.findall(r"```jsonl\n(.*?)```", PAGE.read_text(), re.DOTALL)
Json = dict[str, Any]


def prepared() -> Engine:
    """Return the market that the page describes as the start of every block."""
    engine = Engine()
    first: list[tuple[str, Json]] = [("instrument.define", {"symbol": "AU"})]
    for name in ("ann", "bob", "eve"):
        first.append(("account.open", {"account": name, "member": f"M-{name}"}))
        for asset, amount in (("CNY", "1000000.00"), ("AU", "1000")):
            adjustment = {"account": name, "asset": asset, "amount": amount, "reference": f"{name}-{asset}"}
            first.append(("holding.adjust", adjustment))
    first.append(("market.set_phase", {"symbol": "AU", "phase": "continuous"}))
    for method, params in first:
        apply(engine, 0, wire.read_command(method, params))
    return engine


def split(block: str) -> list[tuple[Json, list[Json]]]:
    """Return the commands of a block, each with its events."""
    steps: list[tuple[Json, list[Json]]] = []
    for line in block.splitlines():
        what = msgspec.json.decode(line)
        if "method" in what and "event" not in what:
            steps.append((what, []))
        else:
            steps[-1][1].append(what)
    return steps


def test_the_page_has_its_examples() -> None:
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("block", BLOCKS, ids=range(1, len(BLOCKS) + 1))
def test_example(block: str) -> None:
    engine = prepared()
    steps = split(block)
    with_holdings = any(event["event"] == "holding.changed" for _, events in steps for event in events)
    at = 0
    for command, expected in steps:
        at = command.get("at", at)
        found = [
            wire.write_event(e) for e in apply(engine, at, wire.read_command(command["method"], command["params"]))
        ]
        if not with_holdings:
            found = [event for event in found if event["event"] != "holding.changed"]
        shown = [{k: got.get(k) for k in want} for got, want in zip(found, expected, strict=False)]
        assert (len(found), shown) == (len(expected), expected), command
        restored = Engine.restore(engine.snapshot())
        assert restored.digest() == engine.digest()
        engine = restored
