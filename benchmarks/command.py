"""``goldx bench``: the programs that measure every speed that is claimed."""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import pstats
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from matching.compiled import CORE


@click.group()
def bench() -> None:
    """Measure GoldX on this machine."""


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--profile", is_flag=True, help="Show where the time of the whole job goes, instead of racing.")
@click.option("--flow", "flows", multiple=True, help="Only this flow (may be given several times).")
@click.option("--peer", "peers", multiple=True, help="Only this peer (may be given several times).")
@click.option("--messages", default=100_000, show_default=True, help="Messages of a flow.")
@click.option("--rounds", default=5, show_default=True, help="Rounds, each with every engine in turn.")
@click.option("--seed", default=1, show_default=True, help="Seed of the flows.")
@click.option("--collector/--no-collector", default=True, help="Python's garbage collector, as it is by default.")
@click.option("--growth", is_flag=True, help="Cost with 1 k to 1 M resting orders instead: time, memory, pauses.")
def matching(
    as_json: bool,
    profile: bool,
    flows: tuple[str, ...],
    peers: tuple[str, ...],
    messages: int,
    rounds: int,
    seed: int,
    collector: bool,
    growth: bool,
) -> None:
    """Race the matching core with other engines on the same flows; processor time, identical fills."""
    from benchmarks.matching import flows as shapes
    from benchmarks.matching import run
    from benchmarks.matching.compiled import LEAST
    from benchmarks.matching.growth import measure

    unknown = [f for f in flows if f not in shapes.SHAPES] + [p for p in peers if p not in run.all_peers()]
    if unknown:
        known = ", ".join([*shapes.SHAPES, *run.all_peers()])
        raise click.BadParameter(f"{unknown[0]!r} is not known; there are {known}")
    chosen = list(flows or shapes.SHAPES)
    if profile:
        _profile(chosen, messages, seed)
        return
    if growth:
        found = measure(seed)
        for line in found:
            pauses = f"longest of {line['collections']} pauses of the collector {line['pause_ms']} ms"
            click.echo(
                f"{line['resting']:>9,} resting: {line['ns_per_message']:>6,} ns a message, "
                f"{line['bytes_per_order']:>5,} bytes an order, {pauses}"
            )
        if as_json:
            click.echo(json.dumps({"growth": found}))
        return
    has_compiled = CORE.built
    if not has_compiled:
        click.echo("no compiled core here: `goldx build-core` makes one", err=True)
    elif not LEAST.built:
        click.echo("compiling the lower bound, for about a minute", err=True)
        LEAST.build()
    how = "as it is by default, for every engine" if collector else "off"
    click.echo(f"Python's garbage collector: {how}", err=True)
    results: dict[str, Any] = {}
    for flow in chosen:
        rates = run.race(flow, messages, rounds, has_compiled, list(peers) or run.all_peers(), seed, collector)
        summaries = {name: rate.summary() for name, rate in rates.items()}
        results[flow] = {"identical_fills": True, "engines": summaries}
        _table(flow, summaries)
    if as_json:
        click.echo(json.dumps({"flows": results, "collector": collector}))


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--window", "windows", multiple=True, help="Only this one, such as 10x64 (may be given several times).")
@click.option("--rounds", default=5, show_default=True, help="Rounds, each with echo and exchange in turn.")
@click.option("--orders", default=40_000, show_default=True, help="Messages of one run of a window.")
@click.option("--seconds", default=2.0, show_default=True, help="Length of one run at a fixed rate.")
def chain(as_json: bool, windows: tuple[str, ...], rounds: int, orders: int, seconds: float) -> None:
    """Race the whole exchange (clients, gateway, durable journal, engine, events) with an echo on the same stack."""
    from benchmarks.chain import run, table

    for name in windows:
        if name not in run.WINDOWS:
            raise click.BadParameter(f"{name!r} is not known; there are {', '.join(run.WINDOWS)}")
    core = "compiled" if CORE.used else "interpreted"
    found = asyncio.run(
        run.race(windows or tuple(run.WINDOWS), rounds, orders, seconds, lambda line: click.echo(line, err=True))
    )
    found |= {"core": core, "processors": len(os.sched_getaffinity(0)), "rounds": rounds}
    table.show(found)
    if as_json:
        click.echo(json.dumps(found))


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--messages", default=100_000, show_default=True, help="Messages of the flow that is replayed.")
@click.option("--accounts", default=100_000, show_default=True, help="Accounts in the snapshot.")
@click.option("--orders", default=100_000, show_default=True, help="Resting orders in the snapshot.")
@click.option("--rounds", default=3, show_default=True, help="How often each thing is done.")
@click.option("--seed", default=1, show_default=True, help="Seed of the flow.")
def recovery(as_json: bool, messages: int, accounts: int, orders: int, rounds: int, seed: int) -> None:
    """Replay beside the bare core, start from a snapshot, pauses, takeover and hand-over; fsync always."""
    from benchmarks.recovery.run import measure

    found = measure(messages, accounts, orders, rounds, seed, lambda line: click.echo(line, err=True))
    for part, figures in found.items():
        click.echo(f"{part}: " + ", ".join(f"{name} {figure}" for name, figure in figures.items()))
    if as_json:
        click.echo(json.dumps(found))


@bench.command("gateway-start")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--orders", default=1_000_000, show_default=True, help="Orders in the history, all of one trading day.")
@click.option("--rounds", default=5, show_default=True, help="How often the gateway is started from its snapshot.")
@click.option("--seed", default=1, show_default=True, help="Seed of the flow.")
def gateway_start(as_json: bool, orders: int, rounds: int, seed: int) -> None:
    """Seconds until a gateway is ready after a long history: from its snapshot, after a kill -9, and without one."""
    from benchmarks.recovery.gateway import measure

    found = asyncio.run(measure(orders, rounds, seed, lambda line: click.echo(line, err=True)))
    for name, figure in found.items():
        click.echo(f"{name}: {figure:,}")
    if as_json:
        click.echo(json.dumps(found))


@bench.command("settlement-scale")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--lots", default=100_000, show_default=True, help="Lots in the register.")
@click.option("--events-each", default=10, show_default=True, help="Custody events of each lot.")
@click.option("--rows", default=10_000, show_default=True, help="Rows of the bar list that is taken in.")
@click.option("--rounds", default=7, show_default=True, help="How often each question is asked.")
def settlement_scale(as_json: bool, lots: int, events_each: int, rows: int, rounds: int) -> None:
    """Lists, searches, a load-out, an import and a statement over many lots, on a PostgreSQL of its own."""
    from benchmarks.lots.run import measure

    found = asyncio.run(measure(lots, events_each, rows, rounds, lambda line: click.echo(line, err=True)))
    table = Table(title=f"{lots:,} lots, {found['events']:,} events: ms", title_justify="left")
    for heading in ("question", "median", "worst"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    for name, times in found["answers_ms"].items():
        table.add_row(name, f"{times['median']:.1f}", f"{times['worst']:.1f}")
    Console(width=100).print(table)
    for name, seconds in found["files_s"].items():
        click.echo(f"{name}: {seconds} s")
    if as_json:
        click.echo(json.dumps(found))


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--events", default=200_000, show_default=True, help="How far settlement is behind.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of both, each on a fresh database.")
@click.option("--seed", default=1, show_default=True, help="Seed of the trading.")
@click.option("--accounts", default=100, show_default=True, help="Accounts that trade with each other.")
@click.option("--growth", is_flag=True, help="One round without COPY: what a posting costs in each tenth.")
def settlement(as_json: bool, events: int, rounds: int, seed: int, accounts: int, growth: bool) -> None:
    """Measure how fast settlement catches up, beside a plain COPY of the same rows."""
    from benchmarks.settlement import measure

    found = asyncio.run(measure(events, 1 if growth else rounds, seed, accounts, 10 if growth else 1))
    click.echo(
        f"{found['events']:,} events with {found['trades']:,} trades posted in {found['catch_up_s']} s: "
        f"{found['events_per_s']:,} events, {found['trades_per_s']:,} trades a second"
    )
    if not growth:
        click.echo(
            f"the same rows by COPY alone in {found['copy_s']} s: ratio {found['ratio']}, "
            f"{found['cpu_ratio']} in processor time; its postings alone: ratio {found['ratio_to_postings_alone']}; "
            f"with the ledger's triggers: ratio {found['ratio_to_rules']}, {found['cpu_ratio_to_rules']}"
        )
    for step in found.get("steps", ()):
        click.echo(f"{step['step']:>12}: {step['us']} µs a trade, {step['cpu_us']} µs of processors")
    for part in found.get("growth", ()):
        click.echo(f"{part['postings']:>12,} postings: {part['us']} µs each, {part['cpu_us']} µs of processors")
    if as_json:
        click.echo(json.dumps(found))


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--rounds", type=click.IntRange(1), default=1, show_default=True, help="Rounds, each with other choices.")
@click.option("--seed", type=int, help="Seed of the choices; default: one that is drawn and printed.")
def reconciliation(as_json: bool, rounds: int, seed: int | None) -> None:
    """Plant differences into a correct day, one by one, and count what the reconciliations find of them."""
    from tests.settlement.planted.score import Outcome, measure

    def report(one: Outcome) -> None:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in one.expected)) or "nothing"
        books = "by a close" if one.close else "in all books"
        click.echo(f"{'wrong' if one.missed or one.wrong else 'found'}  {one.name}, {books}: {kinds}", err=True)
        for word, findings in (("missed", one.missed), ("not planted", one.wrong)):
            for finding in findings:
                click.echo(f"    {word}: {' '.join(finding)}", err=True)

    drawn = secrets.randbelow(2**32) if seed is None else seed
    click.echo(f"seed {drawn}", err=True)
    found = asyncio.run(measure(rounds, drawn, report))
    click.echo(
        f"{found['damages']} damages and {found['decoys']} decoys in {found['evenings']} evenings, seed {drawn}: "
        f"{found['planted']} differences planted, {found['reported']} reported, {found['right']} of them planted"
    )
    for books, figures in (("all books", found), ("what a close compares", found["close"])):
        click.echo(f"{books}: precision {figures['precision']}, recall {figures['recall']}")
    if as_json:
        click.echo(json.dumps(found))
    if found["wrong"]:
        raise click.exceptions.Exit(1)


@bench.command()
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object on the last line.")
@click.option("--trades", default=1_000_000, show_default=True, help="Trades of the day.")
@click.option("--lots", default=100_000, show_default=True, help="Bars under receipt.")
@click.option("--accounts", default=200, show_default=True, help="Accounts that trade and own the bars.")
@click.option("--history", default=20, show_default=True, help="Equal days, of a hundredth of the trades, in a row.")
@click.option("--part", "parts", multiple=True, type=float, help="Only this part of the day, such as 0.1 (repeatable).")
@click.option("--seed", default=1, show_default=True, help="Seed of the trading.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="GOLDX_BENCH_FOLDER",
    help="Keep the days that are made here, and measure those again that are there.",
)
def close(
    as_json: bool,
    trades: int,
    lots: int,
    accounts: int,
    history: int,
    parts: tuple[float, ...],
    seed: int,
    folder: Path | None,
) -> None:
    """Post, close and reconcile a big day, at a tenth, at three tenths and whole; then equal days one after another."""
    from benchmarks.closing.run import PARTS, measure

    report = partial(click.echo, err=True)
    found = asyncio.run(measure(trades, lots, accounts, history, parts or PARTS, seed, report, folder))
    for one in found["days"]:
        steps = ", ".join(f"{name} {seconds}" for name, seconds in one["steps_s"].items())
        click.echo(
            f"{one['trades']:,} trades, {one['lots']:,} lots: posted in {one['posting_s']} s, closed in "
            f"{one['close_s']} s ({steps}), {one['close_cpu_s']} s of processors, "
            f"{one['close_to_reading']} times the reading of its rows"
        )
    for one in found["history"]["days"]:
        click.echo(f"day {one['day']} of {found['history']['trades_each']:,} trades: closed in {one['close_s']} s")
    if as_json:
        click.echo(json.dumps(found))


def _table(flow: str, engines: dict[str, dict[str, int]]) -> None:
    table = Table(title=f"{flow}: thousand messages a second", title_justify="left")
    for heading in ("engine", "median", "lowest", "highest", "to liquibook", "to lightmatchingengine"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    for name, rate in engines.items():
        ratios = [
            f"{rate['median_per_s'] / engines[peer]['median_per_s']:.2f}" if peer in engines else ""
            for peer in ("liquibook", "lightmatchingengine")
        ]
        figures = [f"{rate[key] / 1000:,.1f}" for key in ("median_per_s", "min_per_s", "max_per_s")]
        table.add_row(name, *figures, *ratios)
    Console(width=100).print(table)


def _profile(flows: list[str], messages: int, seed: int) -> None:
    from benchmarks.matching.engines import ENGINES
    from benchmarks.matching.flows import make

    for name in flows:
        flow = make(name, messages, seed)
        profiler = cProfile.Profile()
        profiler.runcall(ENGINES["goldx full"], flow)
        click.echo(f"== {name}")
        pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats("matching", 20)
