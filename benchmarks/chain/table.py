"""Prints the measurements as tables."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.chain.client import PERCENTILES


def _new_table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index else "left")
    return table


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:,.2f}"


def _spread(values: list[float]) -> str:
    return f"{values[0]:g}-{values[1]:g}"


def show(found: dict[str, Any]) -> None:
    """Print three tables and a line about the machine."""
    console = Console(width=120)
    closed = _new_table(
        "sessions x window: acknowledged durable orders beside the stock echo (medians; ms)",
        ("", "echo/s", "chain/s", "ratio", "spread", "p50", "p99", "p99.9", "echo p50", "echo p99"),
    )
    for name, row in found["windows"].items():
        figures = [f"{row['echo_per_s']:,}", f"{row['chain_per_s']:,}", f"{row['ratio']:.2f}"]
        latencies = [_ms(row[key]) for key in ("p50_us", "p99_us", "p999_us", "echo_p50_us", "echo_p99_us")]
        closed.add_row(name, *figures, _spread(row["ratio_spread"]), *latencies)
    console.print(closed)
    opened = _new_table(
        "offered at a fixed rate, latency from the moment an order was due (medians; ms)",
        ("of highest", "offered/s", "", "p50", "p99", "p99.9", "p99 to echo's", "spread", "overruns"),
    )
    for row in found["open_loop"]:
        offered = [f"{row['share']:.0%}", f"{row['offered_per_s']:,.0f}"]
        for side, prefix in (("echo", None), ("relay", "relay_"), ("chain", "")):
            latencies = [_ms(row[name]) if (name := f"{side}_{key}") in row else "" for key in PERCENTILES]
            ratio = ["", ""]
            if prefix is not None and f"{prefix}p99_ratio" in row:
                ratio = [f"{row[f'{prefix}p99_ratio']:.1f}", _spread(row[f"{prefix}p99_ratio_spread"])]
            opened.add_row(*offered, side, *latencies, *ratio, str(row[f"{side}_overruns"]))
            offered = ["", ""]
    console.print(opened)
    names = list(next(iter(found["windows"].values()))["chain_cpu_us"])
    spent = _new_table("processor time an order (µs)", ("", *names, "echo", "client of echo"))
    for name, row in found["windows"].items():
        chain, echo = row["chain_cpu_us"], row["echo_cpu_us"]
        spent.add_row(name, *(f"{chain[part]:.1f}" for part in names), f"{echo['server']:.1f}", f"{echo['client']:.1f}")
    console.print(spent)
    bare = ", ".join(f"{rate:,}/s at {packed} a frame" for packed, rate in found["journal"].items())
    console.print(f"bare journal append, one frame at a time: {bare}")
    console.print(f"{found['core']} core, {found['processors']} processors, {found['rounds']} rounds")
