"""``goldx demo``: the whole exchange on this machine, from a bar of gold to a settled trade."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from httpx import HTTPError
from websockets.exceptions import WebSocketException

from goldx.client.errors import ExchangeError
from goldx.client.local_book import WrongBook
from goldx.demo import scenario
from goldx.demo.demonstration import STEPS, Demonstration, DemoResult
from goldx.demo.display import open_display
from goldx.demo.shell import CommandFailed
from goldx.demo.staff import StaffFailed
from goldx.demo.state import DisplayState
from goldx.demo.traders_process import TradersFailed, TradersProcess
from goldx.hosting.servers import ServerFailed
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import AlreadyRunning, Supervisor
from goldx.protocol import units
from goldx.retry import is_any_of, retry
from goldx.timetable import calendar, venue_time

DRAW_SECONDS: Final = 0.25
RESTART_SECONDS: Final = 2.0
"""How long after an error the trading programs are started again."""
SLOWNESS_AFTERWARDS: Final = 15.0
"""How much slower takers are after the demonstration, so that the page stays alive and the machine free."""
FAILURES: Final = (
    StaffFailed,
    CommandFailed,
    TradersFailed,
    ServerFailed,
    AlreadyRunning,
    ExchangeError,
    WebSocketException,
    WrongBook,
    HTTPError,
    OSError,
)
"""Errors of the exchange or the machine, which are printed in one line instead of a traceback."""


DAYS_BEFORE: Final = timedelta(days=31)
DAYS_AFTER: Final = timedelta(days=400)
"""The days before and after today that the demonstration's calendar has."""


@click.command()
@click.option("--seconds", type=click.FloatRange(1, 86_400), default=30.0, show_default=True, help="Of trading.")
@click.option("--json", "as_json", is_flag=True, help="End by itself; the last line is one JSON object.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="A folder that is new or empty.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=20261124, show_default=True, help="Of the traders.")
@click.pass_context
def demo(context: click.Context, seconds: float, as_json: bool, data_dir: Path | None, seed: int) -> None:
    """Start an exchange, take in gold, let members trade, settle, withdraw, and prove that everything agrees.

    Then it stays up until Ctrl-C, or with --json ends by itself. The exit code is 1 if anything disagrees.
    """
    folder = data_dir or Path("goldx-data") / time.strftime("demo-%Y%m%d-%H%M%S")
    if folder.exists() and any(folder.iterdir()):
        raise click.BadParameter(
            f"{folder} is not empty; it must be a folder that is new or empty", param_hint="--data-dir"
        )
    configured = Settings()
    settings = Settings(
        data_dir=folder,
        calendar_file=_write_calendar(folder),
        redis_url=None,
        database_url=None,
        gateway_url=None,
        gateway_port=0 if as_json else _free_port(configured.gateway_port),
        console_port=0 if as_json else _free_port(configured.console_port),
    )
    context.exit(asyncio.run(_until_stopped(_demonstrate(settings, seconds, seed, as_json))))


def _write_calendar(folder: Path) -> Path:
    """Write a trading calendar around today into a folder and return it; it knows no holidays."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, day = folder.absolute() / "calendar.csv", venue_time.today()
    days = calendar.draft(day - DAYS_BEFORE, day + DAYS_AFTER, "the demonstration, without holidays")
    file.write_text(calendar.write(days), encoding="utf-8")
    return file


async def _until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """Run the work and return its exit code; Ctrl-C or SIGTERM cancels it once, so that everything stops in order."""
    loop, working = asyncio.get_running_loop(), asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not received:
            working.cancel()
        received.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        return await working
    except asyncio.CancelledError:
        click.echo("stopped", err=True)
        return 128 + received[0]
    except FAILURES as error:
        raise click.ClickException(str(error) or repr(error)) from error


async def _demonstrate(settings: Settings, seconds: float, seed: int, as_json: bool) -> int:
    state = DisplayState(STEPS)
    async with AsyncExitStack() as stack:
        async with _displayed(state, to_stderr=as_json):

            def show_note(line: str) -> None:
                state.note = line

            supervisor = await stack.enter_async_context(Supervisor(settings, report=show_note, negotiated=True))
            demonstration = Demonstration(supervisor, state, seed, seconds)
            outcome = await demonstration.run()
            state.step, state.note = len(STEPS), ""
        if not as_json:
            _print_outcome(outcome)
            await demonstration.reopen()
            await _stay_up(supervisor, demonstration)
    if as_json:
        click.echo(msgspec.json.encode(outcome))
    return 1 if outcome.disagreements or outcome.breaks else 0


@asynccontextmanager
async def _displayed(state: DisplayState, *, to_stderr: bool) -> AsyncIterator[None]:
    """Display the state for as long as the block lasts."""
    with open_display(state, to_stderr=to_stderr) as display:

        async def draw() -> None:
            while True:
                display.refresh()
                await asyncio.sleep(DRAW_SECONDS)

        drawing = asyncio.create_task(draw())
        try:
            yield
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
            display.refresh()


def _print_outcome(outcome: DemoResult) -> None:
    latency, out = outcome.latency_ms, outcome.withdrawal
    grams = units.grouped(units.format_weight(outcome.traded_fine_mg))
    for name, value in (
        ("taken in", f"{outcome.lots} lots, {units.grouped(outcome.money_in)} CNY"),
        ("orders", f"{outcome.acked_orders:,} acknowledged ({outcome.orders_per_s:,.0f}/s)"),
        ("changes", f"{outcome.changed_orders:,} quotes, replaces and cancels"),
        ("trades", f"{outcome.trades:,} ({outcome.trades_per_s:,.0f}/s), {grams} fine grams"),
        ("order to answer", f"p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, {outcome.durability}"),
        ("trades in the ledger", f"{outcome.ledger_trades:,}"),
        ("withdrawn", f"{out['allocated_g']} g of {out['symbol']} for {out['ask_g']} g asked"),
        ("over/short", f"{out['over_short']} CNY at {out['price']} ({out['price_source']})"),
        (
            "bank and ledger",
            f"{units.grouped(outcome.bank['bank_cny'])} and {units.grouped(outcome.bank['ledger_cny'])} CNY",
        ),
        ("reconciliation", f"{outcome.reconciliation['checked']} figures compared, {outcome.breaks} breaks"),
        ("day", f"{outcome.day['day']} closed in {len(outcome.day['steps'])} steps, signed by three people"),
        ("record of the day", outcome.day["record"]),
        ("journal", outcome.replay),
    ):
        click.echo(f"  {name:24}{value}")
    for sentence in outcome.disagreements:
        click.secho(f"  DISAGREES: {sentence}", fg="red")
    if not outcome.disagreements:
        click.secho("  members, events, ledger, engine, warehouse and bank all agree", fg="green")


async def _stay_up(supervisor: Supervisor, demonstration: Demonstration) -> None:
    """Let the members trade until cancelled; print the addresses as soon as a newcomer's orders can trade."""
    printed = False

    async def trade() -> None:
        nonlocal printed
        plan = demonstration.plan(slowness=SLOWNESS_AFTERWARDS)
        async with TradersProcess(plan, demonstration.show_progress) as traders:
            await demonstration.until_quoted(traders)
            if not printed:
                _print_addresses(supervisor)
                printed = True
            await traders.failed()

    def report(error: Exception, _pause: float) -> None:
        click.echo(f"the programs start again: {error}", err=True)

    with contextlib.suppress(asyncio.CancelledError):
        await retry(trade, is_any_of(TradersFailed), repeat(RESTART_SECONDS), report)
    click.echo("\nstopping")


def _print_addresses(supervisor: Supervisor) -> None:
    visitor = supervisor.data_dir / "keys" / f"{scenario.VISITOR.code}.pem"
    for name, value in (
        ("API documentation", f"{supervisor.gateway_url}/docs"),
        ("operators' book page", supervisor.console_url),
        ("a member's key for you", visitor),
        ("data", supervisor.data_dir),
    ):
        click.echo(f"  {name:24}{value}")
    click.echo("The exchange stays up, with its members trading on calmly, until Ctrl-C.")


def _free_port(wanted: int) -> int:
    """Return the wanted port, or 0 (any) if another program listens there."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted
