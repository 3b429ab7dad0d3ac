"""Tables in Markdown for docs/benchmarks.md, made of the JSON that each bench prints."""

from collections.abc import Iterable, Sequence
from typing import Any, Final


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = (headings, ("---",) * len(headings), *rows)
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def ms(microseconds: float) -> str:
    """Return microseconds as milliseconds with two decimals."""
    return f"{microseconds / 1000:,.2f}"


def spread(figure: float, bounds: Sequence[float], decimals: int = 2) -> str:
    """Return a median with the lowest and the highest of the rounds."""
    low, high = bounds
    return f"{figure:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def chain(found: Any) -> str:
    """Return the tables of ``goldx bench chain``: windows, fixed rates, processor time, and the bare append."""
    windows = [
        (
            name,
            f"{row['echo_per_s']:,}",
            f"{row['chain_per_s']:,}",
            spread(row["ratio"], row["ratio_spread"]),
            *(ms(row[key]) for key in ("p50_us", "p99_us", "p999_us", "echo_p50_us", "echo_p99_us")),
        )
        for name, row in found["windows"].items()
    ]
    rates = [
        (
            f"{row['share']:.0%}",
            f"{row['offered_per_s']:,}",
            *(ms(row[name]) if (name := f"{side}_p99_us") in row else "" for side in ("echo", "relay", "chain")),
            *(
                spread(row[f"{side}p99_ratio"], row[f"{side}p99_ratio_spread"], 1) if f"{side}p99_ratio" in row else ""
                for side in ("relay_", "")
            ),
            row["chain_overruns"],
        )
        for row in found["open_loop"]
    ]
    parts = list(next(iter(found["windows"].values()))["chain_cpu_us"])
    spent = [
        (name, *(row["chain_cpu_us"][part] for part in parts), row["echo_cpu_us"]["server"])
        for name, row in found["windows"].items()
    ]
    heads = (
        "sessions x window",
        "echo/s",
        "exchange/s",
        "ratio",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "echo p50",
        "echo p99",
    )
    rate_heads = [
        "of highest",
        "offered/s",
        "echo",
        "relay",
        "exchange",
        "relay to echo",
        "exchange to echo",
        "overruns",
    ]
    appends = ", ".join(f"{rate:,} a second at {packed} a frame" for packed, rate in found["journal"].items())
    return "\n\n".join(
        (
            "Acknowledged durable orders beside the echo, as fast as answers come:",
            table(heads, windows),
            "At a fixed rate, a part of the highest sustained one; p99 in ms from the moment an order was due:",
            table(rate_heads, rates),
            "Processor time an order, in µs:",
            table(("sessions x window", *parts, "echo"), spent),
            f"The bare append to the journal, one frame at a time: {appends}.",
        )
    )


def matching(found: Any) -> str:
    """Return the tables of ``goldx bench matching``: rates of every engine, and ours beside the two fastest peers."""
    flows = {name: flow["engines"] for name, flow in found["flows"].items()}
    engines = list(dict.fromkeys(engine for rates in flows.values() for engine in rates))
    rates = [
        (
            engine,
            *(f"{flows[flow][engine]['median_per_s'] / 1000:,.0f}" if engine in flows[flow] else "" for flow in flows),
        )
        for engine in engines
    ]
    pairs = [
        (engine, peer)
        for engine in ("goldx full", "bound", "goldx compiled full", "bound compiled")
        for peer in ("liquibook", "lightmatchingengine")
        if engine in engines and peer in engines
    ]
    ratios = [(f"{engine} / {peer}", *(_ratio(flows[flow], engine, peer) for flow in flows)) for engine, peer in pairs]
    written = ["Thousand messages a second, medians:", table(("engine", *flows), rates)]
    if ratios:
        written += ["Ratios of the medians:", table(("", *flows), ratios)]
    return "\n\n".join(written)


def _ratio(rates: Any, engine: str, peer: str) -> str:
    both = engine in rates and peer in rates
    return f"{rates[engine]['median_per_s'] / rates[peer]['median_per_s']:.2f}" if both else ""


def growth(found: Any) -> str:
    """Return the table of ``goldx bench matching --growth``."""
    rows = [
        (
            f"{row['resting']:,}",
            f"{row['ns_per_message']:,}",
            f"{row['ns_per_message'] / found['growth'][0]['ns_per_message']:.2f}",
            row["bytes_per_order"],
            row["pause_ms"],
        )
        for row in found["growth"]
    ]
    return table(("resting orders", "ns a message", "to the smallest", "bytes an order", "longest pause, ms"), rows)


def parts(found: Any) -> str:
    """Return the figures of a bench as a table, each with its part: recovery and settlement print such JSON."""
    rows: list[tuple[str, str]] = []
    for name, value in found.items():
        figures = (
            {f"{name}: {figure}": one for figure, one in value.items()} if isinstance(value, dict) else {name: value}
        )
        rows += [(figure, _shown(one)) for figure, one in figures.items()]
    return table(("figure", "value"), rows)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


_STEPS: Final = {
    "bare": "COPY into tables without keys, indexes and checks",
    "keys": "with keys and checks",
    "copy": "with the index of postings by account too: **the reference**",
    "rules": "with triggers too: entries balance, no line is added later, balances follow",
    "service": "catching up",
}


def settlement(found: Any) -> str:
    """Return the tables of ``goldx bench settlement``: its figures, and what each guarantee costs."""
    figures = {name: value for name, value in found.items() if name != "steps"}
    reference = next(step["cpu_us"] for step in found["steps"] if step["step"] == "copy")
    rows = [
        (_STEPS[step["step"]], step["us"], step["cpu_us"], f"{step['cpu_us'] / reference:.2f}")
        for step in found["steps"]
    ]
    head = ("entry, postings and trade of a trade", "µs", "µs of processors", "to the reference")
    return "\n\n".join((parts(figures), "What each guarantee costs, for each trade:", table(head, rows)))


def postings(found: Any) -> str:
    """Return the table of ``goldx bench settlement --growth``: what a posting costs in each part of the events."""
    rows = [(f"{row['postings']:,}", row["us"], row["cpu_us"]) for row in found["growth"]]
    heads = ("postings", "µs a posting", "µs of processors")
    return f"{found['trades']:,} trades:\n\n{table(heads, rows)}"


def lots(found: Any) -> str:
    """Return the tables of ``goldx bench settlement-scale``."""
    answers = [(name, f"{times['median']:.1f}", f"{times['worst']:.1f}") for name, times in found["answers_ms"].items()]
    return "\n\n".join(
        (
            f"{found['lots']:,} lots, {found['events']:,} custody events; ms:",
            table(("question", "median", "worst"), answers),
            "Files, in seconds:",
            table(("file", "s"), list(found["files_s"].items())),
        )
    )


def close(found: Any) -> str:
    """Return the tables of ``goldx bench close``: the day in its sizes, step by step, and equal days in a row."""
    steps = list(found["days"][0]["steps_s"])
    names = ("posting_s", "close_s", "close_cpu_s", "close_to_reading", "reading_s", "reconciliation_again_s")
    days = [
        (f"{one['trades']:,}", f"{one['lots']:,}", *(f"{one[name]:,.2f}" for name in names)) for one in found["days"]
    ]
    of_steps = [
        (f"{one['trades']:,}", seconds, *(f"{one[kind][step]:,.2f}" for step in steps))
        for one in found["days"]
        for seconds, kind in (("of the clock", "steps_s"), ("of processors", "steps_cpu_s"))
    ]
    written = [
        "Seconds, and how many times reading a close takes:",
        table(("trades", "lots", "posting", "close", "processors", "to reading", "reading", "all compared"), days),
        "Seconds of each step of the close:",
        table(("trades", "seconds", *steps), of_steps),
    ]
    if history := found["history"]["days"]:
        each = found["history"]["trades_each"]
        rows = [(one["day"], one["close_s"], one["close_cpu_s"], one["steps_s"]["reconciliation"]) for one in history]
        written += [
            f"Days of {each:,} trades in a row, seconds:",
            table(("day", "close", "processors", "of which reconciliation"), rows),
        ]
    return "\n\n".join(written)


def differences(found: Any) -> str:
    """Return the table of ``goldx bench reconciliation``: both comparisons, and how right they are."""
    heading = ("", "evenings", "planted differences", "reported", "rightly", "precision", "recall")
    names = ("evenings", "planted", "reported", "right", "precision", "recall")
    sides = (("all books compared", found), ("the close of the day", found["close"]))
    how = f"{found['damages']} kinds of damage and {found['decoys']} decoys, seed {found['seed']}:"
    return f"{how}\n\n" + table(heading, ((name, *(side[key] for key in names)) for name, side in sides))
