"""``goldx operator`` prints events, or the gateway's text of a refusal."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from goldx.operator_command import operator
from tests.api.conftest import Desk


async def run(desk: Desk, folder: Path, method: str, params: str) -> Result:
    """Run the command in a thread, since the gateway is in this process."""
    key = folder / "op.pem"
    if not key.exists():
        desk.services.keys["op"].save(key)
    arguments = [method, params, "--key", str(key), "--reason", "test", "--url", desk.server.url]
    return await asyncio.to_thread(CliRunner().invoke, operator, arguments)


async def test_it_prints_the_events(desk: Desk, tmp_path: Path) -> None:
    done = await run(desk, tmp_path, "market.set_phase", json.dumps({"symbol": desk.symbol, "phase": "halted"}))
    assert done.exit_code == 0
    (event,) = (json.loads(line) for line in done.stdout.splitlines())
    assert (event["event"], event["phase"], event["previous"]) == ("phase.changed", "halted", "continuous")


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("market.set_phase", '{"symbol": "NOTHING", "phase": "halted"}', "Error: UNKNOWN_SYMBOL: "),
        ("market.set_phase", '{"symbol": "AU", "phase": "open"}', 'Error: BAD_VALUE: phase: "open" is not allowed'),
        ("market.open", "{}", "Error: BAD_VALUE: method: "),
        ("market.set_phase", "[]", "params: [] is not allowed; it must be a JSON object"),
        ("market.set_phase", "{", "Expecting property name"),
    ],
)
async def test_a_refusal_is_a_sentence(desk: Desk, tmp_path: Path, method: str, params: str, said: str) -> None:
    done = await run(desk, tmp_path, method, params)
    assert done.exit_code != 0
    assert isinstance(done.exception, SystemExit)
    assert said in done.stderr
    assert '{"type"' not in done.stderr
