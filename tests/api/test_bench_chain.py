"""``goldx bench chain`` measures real processes, and counts no order that was not answered with a result."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.app import GatewayServer
from api.journal import pressure
from benchmarks.chain import flow, stack
from benchmarks.chain.client import Load, Overrun, Refused
from benchmarks.chain.run import Side, ratios
from benchmarks.command import bench
from goldx.hosting.settings import Settings
from tests.api.conftest import Desk


@pytest.mark.campaign
def test_the_benchmark_prints_one_json_object() -> None:
    arguments = ["chain", "--json", "--window", "10x1", "--rounds", "1", "--orders", "80", "--seconds", "0.4"]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout.splitlines()[-1])
    window = found["windows"]["10x1"]
    assert {"echo_per_s", "chain_per_s", "ratio", "p50_us", "p99_us", "p999_us"} <= set(window)
    assert window["chain_p50_us"] <= window["chain_p99_us"] <= window["chain_p999_us"]
    assert set(window["chain_cpu_us"]) == {"valkey", "engine", "gateway", "client"}
    assert [row["share"] for row in found["open_loop"]] == [0.25, 0.5, 0.75]
    for row in found["open_loop"]:
        assert {"echo_p99_us", "relay_p99_us", "chain_p99_us", "p99_ratio", "relay_p99_ratio"} <= set(row)
        assert row["echo_overruns"] == row["relay_overruns"] == row["chain_overruns"] == 0
    assert set(found["journal"]) == {"1", "64", "1024"}


def test_no_session_of_the_benchmark_is_closed_while_it_waits_for_its_turn() -> None:
    """On a slow machine that takes longer than the silence after which a gateway usually closes a session."""
    used = Settings(**tomllib.loads(stack.SETTINGS))
    assert used.session_idle_seconds >= 60 * Settings().session_idle_seconds


async def test_refused_orders_do_not_count(gateway: GatewayServer) -> None:
    load = Load()
    await load.connect(gateway.url, None, 1)
    with pytest.raises(Refused, match="NOT_PERMITTED"):
        await load.closed(1, 1, 1, 4)


async def test_orders_beyond_what_may_wait_are_an_overrun_after_which_new_sessions_measure(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "SYMBOL", desk.symbol)
    monkeypatch.setattr(flow, "accounts", lambda _: (desk.a, desk.a))
    desk.services.keys["FIRM-A"].save(tmp_path / "key.pem")
    load = Load()
    await load.connect(desk.server.url, str(tmp_path / "key.pem"), 1)
    with monkeypatch.context() as full:
        full.setattr(pressure, "MAX_WAITING", 0)
        with pytest.raises(Overrun, match="wait for their answers already"):
            await load.open_loop(1, 1, 1_000, 1)
    load.close()
    await load.connect(desk.server.url, str(tmp_path / "key.pem"), 1)
    measured = await load.open_loop(2, 1, 1_000, 1)
    assert measured["count"] == 1


def test_the_figures_of_a_rate_leave_overruns_out() -> None:
    run: dict[str, Any] = {"per_s": 50.0, "p50_us": 1, "p99_us": 2, "p999_us": 3, "cpu_us": {"server": 1.0}}
    echo, some, never = Side([run, run]), Side([None, run | {"p99_us": 8}]), Side([None, None])
    assert some.summary("")["overruns"] == 1
    assert some.summary("")["p99_us"] == 8
    assert ratios(some, echo, "p99_us") == {"ratio": 4.0, "ratio_spread": [4.0, 4.0]}
    assert never.summary("") == {"overruns": 2}
    assert ratios(never, echo, "p99_us") == {}


def test_a_flow_trades_and_cancels_its_resting_orders() -> None:
    rests, sells, buys, cancels = (json.loads(message) for message in flow.messages(3, 7, 11, 4))
    assert [message["id"] for message in (rests, sells, buys, cancels)] == [11, 12, 13, 14]
    assert sells["params"]["price"] == buys["params"]["price"] == flow.TOUCH
    assert sells["params"]["account"] != buys["params"]["account"]
    assert float(rests["params"]["price"]) < float(flow.TOUCH)
    assert (cancels["method"], cancels["params"]["client_order_id"]) == ("order.cancel", "3.0")
    again = json.loads(flow.messages(4, 7, 11, 1)[0])
    assert again["params"]["client_order_id"] != rests["params"]["client_order_id"]
