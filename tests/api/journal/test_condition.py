"""Health, status, metrics and status channels of a gateway say what a monitor and a member read into them."""

import asyncio

import pytest

from goldx.client.local_book import LocalBook
from tests.api.conftest import until
from tests.api.journal.watched import Watched


async def test_an_idle_market_has_no_lag(watched: Watched) -> None:
    """Its leader appends ticks, which no gateway sees."""
    tick = await watched.tick()
    while (status := await watched.status())["engines"][0]["position"] < tick:
        await asyncio.sleep(0.02)
    assert status["journal_end"] >= tick > status["journal_position"]
    assert status["lag_ms"] == 0
    assert await watched.value("goldx_lag_seconds") == 0


async def test_a_view_that_is_behind_the_newest_event_lags(watched: Watched) -> None:
    gateway, desk = watched.behind.server.gateway, watched.behind.desk
    view = gateway.view
    reached, view.sequence = view.sequence, view.sequence - 1
    try:
        await gateway.condition.read()
    finally:
        view.sequence = reached
    assert gateway.condition.known.view_lag_ms > 0
    assert gateway.condition.known.lag_ms == gateway.condition.known.view_lag_ms
    await gateway.condition.read()
    assert gateway.condition.known.lag_ms == 0
    assert desk.symbol in view.markets


async def test_no_label_grows_with_time_or_with_each_start(watched: Watched) -> None:
    status = await watched.status()
    (engine,) = status["engines"]
    unbounded = {engine["engine"], engine["position"], engine["snapshot"], engine["digest"]}
    samples = await watched.metrics()
    for sample in samples:
        assert not unbounded & set(sample.labels.values()), sample
        assert set(sample.labels) <= {"shard", "gateway", "engine", "role", "durability", "area"}, sample
    assert {sample.labels["engine"] for sample in samples if "engine" in sample.labels} == {"1"}
    counts = {s.labels["role"]: s.value for s in samples if s.name == "goldx_engines"}
    assert counts == {"leader": 1, "standby": 0, "recovering": 0}
    times = {s.name: s.value for s in samples if s.name.startswith("goldx_engine_") and s.name.endswith("_seconds")}
    assert times["goldx_engine_position_seconds"] > 1_700_000_000


async def test_health_fails_while_every_order_is_refused(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await watched.health() == (200, {"status": "ok", "follows_market": True})
    sequencer = watched.behind.server.gateway.sequencer
    monkeypatch.setattr(sequencer._pressure, "disk_full", "the journal's disk is nearly full")
    monkeypatch.setattr(sequencer._pressure, "_check", lambda: None)
    code, problem = await watched.health()
    assert (code, problem["detail"], problem["follows_market"]) == (503, "the journal's disk is nearly full", True)
    assert await watched.value("goldx_healthy") == await watched.value("goldx_taking_orders") == 0
    monkeypatch.undo()
    assert (await watched.health())[0] == 200
    assert await watched.value("goldx_healthy") == 1


async def test_status_and_metrics_answer_with_what_was_known_while_the_server_is_away(watched: Watched) -> None:
    before = await watched.status()
    assert (before["server_reachable"], before["trouble"]) == (True, None)
    watched.behind.proxy.hold()
    try:
        while (status := await watched.status())["server_reachable"]:
            pass
        assert await watched.value("goldx_server_reachable") == 0
        assert await watched.value("goldx_server_known_seconds") > 0
        assert await watched.value("goldx_engine_sequence") == before["engines"][0]["sequence"]
        kept = ("sequence", "durability", "lag_ms")
        assert {name: status[name] for name in kept} == {name: before[name] for name in kept}
        while (await watched.health())[0] == 200:
            await asyncio.sleep(0.05)
        code, problem = await watched.health()
        assert (code, problem["follows_market"]) == (503, False)
        assert problem["detail"].startswith("this gateway gets no events")
    finally:
        watched.behind.proxy.release()
    while (await watched.health())[0] != 200 or not (await watched.status())["server_reachable"]:
        await asyncio.sleep(0.05)


async def test_that_no_engine_leads_is_in_health_status_metrics_and_the_status_channel(watched: Watched) -> None:
    behind, symbol = watched.behind, watched.behind.desk.symbol
    await until(lambda: behind.server.gateway.view.trouble is None)
    channel, words = f"status.{symbol}", f"no engine leads shard {watched.behind.services.shard}"
    async with behind.member() as member, behind.member() as other:
        messages = member.subscribe(channel)
        snapshot = await anext(messages)
        assert (snapshot["type"], "trouble" in snapshot["data"]) == ("snapshot", False)
        (instrument,) = (await member.call("market.instruments"))["instruments"]
        book = LocalBook(instrument)
        await behind.services.stop_engine()
        notice = await anext(messages)
        assert (notice["type"], notice["sequence"], notice["previous"]) == ("notice", *[snapshot["sequence"]] * 2)
        assert notice["data"] == {**snapshot["data"], "trouble": words}
        book.apply(notice)
        troubles = [book.trouble]
        assert (await member.call("market.status", symbol=symbol))["trouble"] == words
        code, problem = await watched.health()
        assert (code, problem["detail"], problem["follows_market"]) == (503, words, True)
        assert (await watched.status())["trouble"] == words
        assert await watched.value("goldx_healthy") == 0
        await watched.tick()
        while not await watched.value("goldx_lag_seconds"):
            await asyncio.sleep(0.02)  # what waits for an engine ages though no engine leads

        late = other.subscribe(channel)
        assert [(await anext(late))["type"] for _ in range(2)] == ["snapshot", "notice"]
        await behind.services.start_engine()
        over = await anext(messages)
        assert (over["type"], over["data"]["trouble"]) == ("notice", None)
        book.apply(over)
        assert [*troubles, book.trouble] == [words, None]
        assert (await watched.health())[0] == 200

    # Whoever comes back may have missed that it is over.
    async with behind.member() as returned:
        resumed = returned.subscribe(channel, from_sequence=snapshot["sequence"], epoch=snapshot["epoch"])
        assert (await anext(resumed))["data"]["trouble"] is None
