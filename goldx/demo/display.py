"""What the person in front of the terminal sees: the books, the last trades, rates and latency, and how far it is.

``Board`` is the state, filled by the demonstration; ``TerminalDisplay`` draws it with rich four times a second, and
``PlainDisplay`` says the same in lines where the output is no terminal.
"""

import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from goldx.client.local_book import LocalBook
from goldx.protocol import units

MOST_LEVELS = 15
WIDE = 130
TAPE = 40
BAR = 14
"""Width of the longest depth bar, in characters."""


@dataclass
class Board:
    """All that is shown.

    ``step`` of ``steps`` is what is being done, ``results`` what came of those before; ``latencies`` are the newest, in
    microseconds.
    """

    steps: Sequence[str]
    step: int = 0
    note: str = ""
    results: dict[int, str] = field(default_factory=dict)
    markets: dict[str, LocalBook] = field(default_factory=dict)
    holdings: dict[str, dict[str, int]] = field(default_factory=dict)
    latencies: deque[int] = field(default_factory=lambda: deque(maxlen=2_000))
    acked: int = 0
    refused: int = 0
    changes: int = 0
    settled: int = 0
    trading_since: float | None = None
    trading_seconds: float = 0.0
    _rates: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=9))

    @property
    def trades(self) -> int:
        return sum(market.trades for market in self.markets.values())

    def sample(self) -> None:
        """Remembers the counters of this moment; ``rates`` looks back over the last two seconds."""
        self._rates.append((time.monotonic(), self.acked + self.changes, self.trades))

    def rates(self) -> tuple[float, float]:
        """Requests answered and trades, per second."""
        if len(self._rates) < 2:
            return 0.0, 0.0
        (then, requests, trades), (now, requests_now, trades_now) = self._rates[0], self._rates[-1]
        seconds = max(now - then, 0.001)
        return (requests_now - requests) / seconds, (trades_now - trades) / seconds

    def latency(self) -> tuple[float, float] | None:
        """p50 and p99 of the newest orders, in milliseconds."""
        return percentiles(self.latencies)


def percentiles(latencies: Sequence[int] | deque[int]) -> tuple[float, float] | None:
    """p50 and p99 in milliseconds of latencies in microseconds, by nearest rank; None of nothing."""
    if not latencies:
        return None
    ordered = sorted(latencies)
    last = len(ordered) - 1
    return ordered[last // 2] / 1_000, ordered[last * 99 // 100] / 1_000


class Display(Protocol):
    """Where the demonstration is seen."""

    def __enter__(self) -> "Display": ...

    def __exit__(self, *error: object) -> None: ...

    def refresh(self) -> None: ...


class PlainDisplay:
    """Lines, for a file or a pipe: each step once, and the figures every two seconds while trading."""

    def __init__(self, board: Board, out: TextIO) -> None:
        self._board = board
        self._out = out
        self._said = (-1, "")
        self._told = 0
        self._next = 0.0

    def __enter__(self) -> "PlainDisplay":
        return self

    def __exit__(self, *error: object) -> None:
        self.refresh()

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)

    def refresh(self) -> None:
        board = self._board
        for number in range(self._told, board.step):
            if result := board.results.get(number):
                self._say(f"      {result}")
        self._told = max(self._told, board.step)
        state = (board.step, board.note)
        if state != self._said:
            self._said = state
            self._say(
                f"[{min(board.step + 1, len(board.steps))}/{len(board.steps)}] {_step(board)} {board.note}".rstrip()
            )
        board.sample()
        if board.trading_since is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + 2.0
            requests, trades = board.rates()
            self._say(f"      {board.trades:,} trades ({trades:,.0f}/s), {requests:,.0f} requests/s, {_latency(board)}")


class TerminalDisplay:
    """The board on the whole screen, which is given back at the end."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stderr=False)

    def __enter__(self) -> "TerminalDisplay":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def refresh(self) -> None:
        self._board.sample()
        self._live.update(render(self._board, self._console.width, self._console.height), refresh=True)


def _step(board: Board) -> str:
    return board.steps[board.step] if board.step < len(board.steps) else "Done."


def _latency(board: Board) -> str:
    latency = board.latency()
    return "no orders yet" if latency is None else f"p50 {latency[0]:.1f} ms, p99 {latency[1]:.1f} ms"


def render(board: Board, width: int, height: int) -> RenderableType:
    """The whole screen of so many columns and lines; a low one shows no holdings, a narrow one no last trades."""
    holdings = len(board.holdings) + 4 if board.holdings and height >= 32 else 0
    levels = max(2, min(MOST_LEVELS, (height - holdings - 8) // 2))
    layout = Layout()
    layout.split_column(
        Layout(_head(board), name="head", size=5),
        Layout(name="market", ratio=1),
        Layout(_holdings(board), name="holdings", size=holdings or 1, visible=bool(holdings)),
    )
    if board.markets:
        books = (Layout(_book(market, levels), ratio=3) for market in board.markets.values())
        layout["market"].split_row(*books, Layout(_tape(board), ratio=3, visible=width >= WIDE))
    else:
        layout["market"].update(_steps(board))
    return layout


def _steps(board: Board) -> RenderableType:
    """Before the market opens: what is done, what is being done, what is to come."""
    table = Table.grid(padding=(0, 2))
    for number, step in enumerate(board.steps):
        if number < board.step:
            table.add_row(Text("✓", style="green"), step, Text(board.results.get(number, ""), style="dim"))
        elif number == board.step:
            table.add_row(Text("▶", style="yellow"), Text(step, style="bold"), Text(board.note))
        else:
            table.add_row("", Text(step, style="dim"))
    return Panel(Padding(table, (1, 2)))


def _head(board: Board) -> RenderableType:
    requests, trades = board.rates()
    done = 0.0
    if board.trading_since is not None and board.trading_seconds:
        done = min(1.0, (time.monotonic() - board.trading_since) / board.trading_seconds)
    progress = ProgressBar(total=len(board.steps), completed=min(board.step + done, len(board.steps)), width=40)
    first = Table.grid(padding=(0, 2))
    doing = Text(f"{_step(board)} {board.note}".rstrip(), style="bold", no_wrap=True, overflow="ellipsis")
    first.add_row(progress, doing)
    market = Text.assemble(
        ("trades ", "dim"),
        (f"{board.trades:,}", "bold"),
        (f" ({trades:,.0f}/s)   ", "dim"),
        ("settled ", "dim"),
        (f"{board.settled:,}", "bold"),
        ("   order to answer ", "dim"),
        (_latency(board), "bold"),
    )
    members = Text.assemble(
        ("orders ", "dim"),
        (f"{board.acked:,}", "bold"),
        ("   changes ", "dim"),
        (f"{board.changes:,}", "bold"),
        (f" ({requests:,.0f} requests/s)   ", "dim"),
        ("refused ", "dim"),
        (f"{board.refused:,}", "bold"),
    )
    return Panel(Group(first, market, members), title="GoldX · 非标准金现货交易所", border_style="yellow")


def _book(market: LocalBook, levels: int) -> RenderableType:
    asks, bids = market.asks(levels), market.bids(levels)
    deepest = max((quantity for _, quantity in asks + bids), default=1)
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, ratio=2)
    table.add_column(justify="right", no_wrap=True, ratio=3)
    table.add_column(width=BAR, no_wrap=True)
    for _ in range(levels - len(asks)):
        table.add_row("", "", "")
    for price, quantity in reversed(asks):
        _add_level(table, price, quantity, deepest, "red")
    last = "–" if market.last is None else units.format_price(market.last) + (" ▲" if market.rising else " ▼")
    middle = f"spread {units.format_price(asks[0][0] - bids[0][0])}" if asks and bids else ""
    if market.indicative is not None:
        price, quantity = market.indicative
        middle = f"{units.format_weight(quantity)} g at {units.format_price(price)}"
    table.add_row(Text(last, style="bold yellow"), Text(middle, style="dim"), Text(market.phase, style="dim"))
    for price, quantity in bids:
        _add_level(table, price, quantity, deepest, "green")
    for _ in range(levels - len(bids)):
        table.add_row("", "", "")
    traded = f"{market.trades:,} trades · {grouped(units.format_weight(market.traded))} g"
    return Panel(table, title=f"{market.symbol} {market.name_zh}", subtitle=traded)


def _add_level(table: Table, price: int, quantity: int, deepest: int, colour: str) -> None:
    bar = "█" * max(1, quantity * BAR // deepest)
    table.add_row(Text(units.format_price(price), style=colour), units.format_weight(quantity), Text(bar, style=colour))


def _tape(board: Board) -> RenderableType:
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
    for _ in range(4):
        table.add_column(no_wrap=True, justify="right")
    prints = sorted(((p.at, p.trade_id, m.symbol, p) for m in board.markets.values() for p in m.tape), reverse=True)
    for _, _, symbol, trade in prints[:TAPE]:
        clock = time.strftime("%H:%M:%S", time.localtime(trade.at / 1_000)) + f".{trade.at % 1_000 // 100}"
        colour = {"buy": "green", "sell": "red", None: "yellow"}[trade.taker_side]
        price = Text(units.format_price(trade.price), style=colour)
        table.add_row(Text(clock, style="dim"), symbol, price, units.format_weight(trade.quantity))
    return Panel(table, title="last trades · 最新成交")


def _holdings(board: Board) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    assets = sorted({asset for held in board.holdings.values() for asset in held}, key=lambda a: (a != units.CASH, a))
    table.add_column("account")
    for asset in assets:
        table.add_column(f"{asset} {'yuan' if asset == units.CASH else 'fine g'}", justify="right")
    for account, held in board.holdings.items():
        table.add_row(account, *(grouped(units.format_amount(held.get(asset, 0), asset)) for asset in assets))
    return Panel(table, title="holdings · 持有")


def grouped(decimal: str) -> str:
    """``"1234567.50"`` -> ``"1,234,567.50"``."""
    whole, point, fraction = decimal.partition(".")
    return f"{int(whole):,}{point}{fraction}"


def open_display(board: Board, *, to_stderr: bool) -> Display:
    """The display for where the output goes; ``to_stderr`` leaves standard output to a program that reads it."""
    if to_stderr:
        return PlainDisplay(board, sys.stderr)
    return TerminalDisplay(board) if sys.stdout.isatty() else PlainDisplay(board, sys.stdout)
