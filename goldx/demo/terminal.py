"""The display on a whole terminal, drawn with rich: books, last trades, holdings, rates, latency and progress."""

import time
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.padding import Padding
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from goldx.client.local_book import LocalBook
from goldx.demo.state import DisplayState
from goldx.protocol import units

MOST_LEVELS: Final = 15
WIDE: Final = 130
"""The least number of columns at which the last trades are shown."""
HIGH: Final = 32
"""The least number of lines at which the holdings are shown."""
LAST_TRADES: Final = 40
BAR: Final = 14
"""Width of the longest depth bar, in characters."""


class TerminalDisplay:
    """Draws the state on the whole screen, which has its former content again at the end."""

    def __init__(self, state: DisplayState) -> None:
        self._state = state
        self._console = Console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stderr=False)

    def __enter__(self) -> "TerminalDisplay":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def refresh(self) -> None:
        """Draw the state as it is now."""
        self._state.sample()
        self._live.update(render(self._state, self._console.width, self._console.height), refresh=True)


def render(state: DisplayState, width: int, height: int) -> RenderableType:
    """Return the screen in the given size; a low one has no holdings, a narrow one no last trades."""
    holdings = len(state.holdings) + 4 if state.holdings and height >= HIGH else 0
    levels = max(2, min(MOST_LEVELS, (height - holdings - 8) // 2))
    layout = Layout()
    layout.split_column(
        Layout(_head(state), name="head", size=5),
        Layout(name="market", ratio=1),
        Layout(_holdings(state), name="holdings", size=holdings or 1, visible=bool(holdings)),
    )
    if state.books:
        books = (Layout(_book(book, levels), ratio=3) for book in state.books.values())
        layout["market"].split_row(*books, Layout(_last_trades(state), ratio=3, visible=width >= WIDE))
    else:
        layout["market"].update(_steps(state))
    return layout


def _steps(state: DisplayState) -> RenderableType:
    """Return the list of steps with their results, shown before the market opens."""
    table = Table.grid(padding=(0, 2))
    for number, step in enumerate(state.steps):
        if number < state.step:
            table.add_row(Text("✓", style="green"), step, Text(state.results.get(number, ""), style="dim"))
        elif number == state.step:
            table.add_row(Text("▶", style="yellow"), Text(step, style="bold"), Text(state.note))
        else:
            table.add_row("", Text(step, style="dim"))
    return Panel(Padding(table, (1, 2)))


def _head(state: DisplayState) -> RenderableType:
    requests, trades = state.rates()
    done = 0.0
    if state.trading_since is not None and state.trading_seconds:
        done = min(1.0, (time.monotonic() - state.trading_since) / state.trading_seconds)
    progress = ProgressBar(total=len(state.steps), completed=min(state.step + done, len(state.steps)), width=40)
    first = Table.grid(padding=(0, 2))
    doing = Text(f"{state.current} {state.note}".rstrip(), style="bold", no_wrap=True, overflow="ellipsis")
    first.add_row(progress, doing)
    market = Text.assemble(
        ("trades ", "dim"),
        (f"{state.trades:,}", "bold"),
        (f" ({trades:,.0f}/s)   ", "dim"),
        ("settled ", "dim"),
        (f"{state.posted:,}", "bold"),
        ("   order to answer ", "dim"),
        (state.latency(), "bold"),
    )
    members = Text.assemble(
        ("orders ", "dim"),
        (f"{state.acked:,}", "bold"),
        ("   changes ", "dim"),
        (f"{state.changes:,}", "bold"),
        (f" ({requests:,.0f} requests/s)   ", "dim"),
        ("refused ", "dim"),
        (f"{state.refused:,}", "bold"),
    )
    return Panel(Group(first, market, members), title="GoldX · 非标准金现货交易所", border_style="yellow")


def _book(book: LocalBook, levels: int) -> RenderableType:
    asks, bids = book.asks(levels), book.bids(levels)
    deepest = max((quantity for _, quantity in asks + bids), default=1)
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, ratio=2)
    table.add_column(justify="right", no_wrap=True, ratio=3)
    table.add_column(width=BAR, no_wrap=True)
    for _ in range(levels - len(asks)):
        table.add_row("", "", "")
    for price, quantity in reversed(asks):
        _add_level(table, price, quantity, deepest, "red")
    last = "–" if book.last is None else units.format_price(book.last) + (" ▲" if book.rising else " ▼")
    middle = f"spread {units.format_price(asks[0][0] - bids[0][0])}" if asks and bids else ""
    if book.indicative is not None:
        price, quantity = book.indicative
        middle = f"{units.format_weight(quantity)} g at {units.format_price(price)}"
    table.add_row(Text(last, style="bold yellow"), Text(middle, style="dim"), Text(book.phase, style="dim"))
    for price, quantity in bids:
        _add_level(table, price, quantity, deepest, "green")
    for _ in range(levels - len(bids)):
        table.add_row("", "", "")
    traded = f"{book.trades:,} trades · {units.grouped(units.format_weight(book.traded))} g"
    return Panel(table, title=f"{book.symbol} {book.name_zh}", subtitle=traded)


def _add_level(table: Table, price: int, quantity: int, deepest: int, colour: str) -> None:
    bar = "█" * max(1, quantity * BAR // deepest)
    table.add_row(Text(units.format_price(price), style=colour), units.format_weight(quantity), Text(bar, style=colour))


def _last_trades(state: DisplayState) -> RenderableType:
    table = Table(box=None, expand=True, show_header=False, padding=(0, 1))
    for _ in range(4):
        table.add_column(no_wrap=True, justify="right")
    prints = sorted(((p.at, p.trade_id, b.symbol, p) for b in state.books.values() for p in b.tape), reverse=True)
    for _, _, symbol, trade in prints[:LAST_TRADES]:
        clock = time.strftime("%H:%M:%S", time.localtime(trade.at / 1_000)) + f".{trade.at % 1_000 // 100}"
        colour = {"buy": "green", "sell": "red", None: "yellow"}[trade.taker_side]
        price = Text(units.format_price(trade.price), style=colour)
        table.add_row(Text(clock, style="dim"), symbol, price, units.format_weight(trade.quantity))
    return Panel(table, title="last trades · 最新成交")


def _holdings(state: DisplayState) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    assets = sorted({asset for held in state.holdings.values() for asset in held}, key=lambda a: (a != units.CASH, a))
    table.add_column("account")
    for asset in assets:
        table.add_column(f"{asset} {'yuan' if asset == units.CASH else 'fine g'}", justify="right")
    for account, held in state.holdings.items():
        table.add_row(account, *(units.grouped(units.format_amount(held.get(asset, 0), asset)) for asset in assets))
    return Panel(table, title="holdings · 持有")
