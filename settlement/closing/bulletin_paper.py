"""The bulletin of a day as PDF, as a workbook and as CSV, in Chinese or English."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final

from goldx.protocol.units import BadValue
from settlement.closing.bulletin import WITHOUT_ORDERS, Bulletin
from settlement.closing.paper import Column, Language, Paper
from settlement.closing.words import moment, money, price, shown_day, weight, word
from settlement.workbooks import writing
from settlement.workbooks.writing import Out, Sheet, scaled

KINDS: Final = ("pdf", "xlsx", "csv", "json")
PARTS: Final = ("instruments", "benchmarks", "registered", "stock", "record", "breaks", "about")
"""The parts of a bulletin; a CSV holds one of them."""

Say = Callable[[str], str]
_PRICES: Final = ("open", "high", "low", "closing_price", "settlement_price", "previous_settlement", "change")
_INSTRUMENT: Final = (
    "symbol",
    "open",
    "high",
    "low",
    "closing_price",
    "closing_method",
    "settlement_price",
    "settlement_method",
    "previous_settlement",
    "change",
    "count",
    "quantity",
    "amount",
)
_BENCHMARK: Final = ("form", "benchmark", "found_by", "count", "quantity", "amount", "minimum", "previous_benchmark")
_REGISTERED: Final = ("previous", "taken_in", "given_out", "total")
_PLACE: Final = ("warehouse", "form", "customs")
_GROSS: Final = ("gross_previous", "gross_in", "gross_out", "melt_loss", "gross_total")
_FINE: Final = ("fine_previous", "fine_in", "fine_out", "fine_total")
_PARTS_OF_FINE: Final = (
    "unreceipted",
    "free",
    "frozen",
    "pledged",
    "legal_hold",
    "in_dispute",
    "in_transfer",
    "load_out",
)


def write(found: Bulletin, kind: str, language: Language, part: str = "instruments") -> bytes:
    """Return a bulletin as a file of a kind: CSV holds one ``part``, JSON is what the SHA-256 is of.

    Raises BadValue for another kind or part.
    """
    if kind == "pdf":
        return render(found, language)
    if kind == "json":
        return found.text.encode()
    sheets = _sheets(found, language)
    if kind == "xlsx":
        return writing.write_book(list(sheets.values()), found.day)
    if kind == "csv" and part in sheets:
        return writing.write_csv(sheets[part].heading, sheets[part].rows)
    if kind == "csv":
        raise BadValue("part", part, "one of " + ", ".join(PARTS))
    raise BadValue("format", kind, "one of " + ", ".join(KINDS))


def render(found: Bulletin, language: Language) -> bytes:
    """Return a bulletin as PDF."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    day = date.fromisoformat(content["day"])
    paper = Paper(f"{say('bulletin')} {content['day']}", day, landscape=True)
    paper.title(say("bulletin"), shown_day(language, day), say("bulletin_about"))
    paper.fields(_head(content, say), columns=3)
    paper.heading(say("instruments"))
    _instruments(paper, content, say)
    if "benchmarks" in content:
        paper.heading(say("benchmarks"))
        _benchmarks(paper, content, say)
    paper.heading(say("registered"))
    _registered(paper, content, say)
    paper.heading(say("stock"))
    _stock(paper, content, say)
    paper.heading(say("breaks"))
    _breaks(paper, content, say)
    if (record := content["record"]) is not None:
        paper.heading(say("record"))
        paper.note(f"{shown_day(language, date.fromisoformat(record['day']))}   SHA-256 {record['sha256']}")
    return paper.finish(f"SHA-256 {found.hash.hex()}", say("page"))


def _head(content: Mapping[str, Any], say: Say) -> list[tuple[str, str]]:
    corrected = [
        (name, content[name]) for name in ("invoices_corrected", "invoices_corrected_in_part") if name in content
    ]
    return [
        *([(say("issuer"), content["issuer"])] if "issuer" in content else []),
        (say("range"), f"{content['first_sequence']}–{content['last_sequence']}"),
        (say("ended_at"), moment(content["ended_at"])),
        *((say(name), f"{sums['count']} · {money(sums['amount_fen'])} CNY") for name, sums in corrected),
    ]


def _price(fen: int | None) -> str:
    return "–" if fen is None else money(fen) if fen < 0 else price(fen)


def _instruments(paper: Paper, content: Mapping[str, Any], say: Say) -> None:
    left = ("symbol", "closing_method", "settlement_method")
    widths = {"symbol": 30, "closing_method": 26, "settlement_method": 24}
    columns = [Column(say(name), widths.get(name, 18), right=name not in left) for name in _INSTRUMENT]
    rows = [
        (
            one["symbol"],
            *(_price(one[name]) for name in ("open", "high", "low", "closing_price")),
            say(f"method.{one['closing_method']}"),
            _price(one["settlement_price"]),
            say(f"method.{one['settlement_method']}"),
            *(_price(one[name]) for name in ("previous_settlement", "change")),
            f"{one['trades']:,}",
            weight(one["quantity"]),
            money(one["amount"]),
        )
        for one in content["instruments"]
    ]
    if not rows:
        paper.note(say("none"))
        return
    total = [sum(one[name] for one in content["instruments"]) for name in ("trades", "quantity", "amount")]
    sums = (say("sum"), *("" for _ in range(9)), f"{total[0]:,}", weight(total[1]), money(total[2]))
    paper.table(columns, [*rows, sums], last_is_sum=True)
    for one in content["instruments"]:
        for name in WITHOUT_ORDERS.values():
            if name in one:
                apart = one[name]
                paper.note(
                    f"{one['symbol']}, {say(name)}: {apart['trades']:,} · {weight(apart['quantity'])} g · "
                    f"{money(apart['amount'])} CNY"
                )
    paper.note(say("methods_note"))


def _benchmarks(paper: Paper, content: Mapping[str, Any], say: Say) -> None:
    left = ("form", "found_by")
    widths = {"form": 40, "found_by": 44}
    columns = [Column(say(name), widths.get(name, 28), right=name not in left) for name in _BENCHMARK]
    rows = [
        (
            say(f"form.{one['form']}"),
            _price(one["price"]),
            say(f"method.{one['method']}"),
            f"{one['trades']:,}",
            weight(one["quantity_mg"]),
            money(one["amount_fen"]),
            weight(one["minimum_mg"]),
            _price(one["previous_fen_per_g"]),
        )
        for one in content["benchmarks"]
    ]
    paper.table(columns, rows)
    for one in content["benchmarks"]:
        for kind in dict.fromkeys(part["kind"] for part in one["traded"]):
            of_kind = [part for part in one["traded"] if part["kind"] == kind]
            trades, quantity, amount = (
                sum(part[name] for part in of_kind) for name in ("trades", "quantity_mg", "amount_fen")
            )
            paper.note(
                f"{say('form.' + one['form'])}, {say('trade_kind.' + kind)}: {trades:,} · {weight(quantity)} g · "
                f"{money(amount)} CNY"
            )
    paper.note(say("benchmarks_note"))


def _registered(paper: Paper, content: Mapping[str, Any], say: Say) -> None:
    if not content["registered"]:
        paper.note(say("none"))
        return
    columns = [Column(say("symbol"), 40), *(Column(say(name), 30, right=True) for name in _REGISTERED)]
    columns.append(Column(say("net_change"), 30, right=True))
    rows = [
        (one["symbol"], *(weight(one[name]) for name in _REGISTERED), weight(one["total"] - one["previous"]))
        for one in content["registered"]
    ]
    paper.table(columns, rows)
    paper.note(say("registered_note"))


def _stock(paper: Paper, content: Mapping[str, Any], say: Say) -> None:
    lines = content["stock"]
    if not lines:
        paper.note(say("none"))
        return
    place = [Column(say("warehouse"), 24), Column(say("form"), 30), Column(say("customs"), 18)]
    where = [(line["warehouse"], say(f"form.{line['form']}"), say(line["customs"])) for line in lines]
    tables: tuple[tuple[bool, tuple[str, ...]], ...]
    tables = (True, (*_GROSS, *_FINE)), (False, ("fine_total", *_PARTS_OF_FINE))
    for lots, names in tables:
        counted = [Column(say("lot_count"), 12, right=True)] if lots else []
        columns = [*place, *counted, *(Column(say(name), 22, right=True) for name in names)]
        counts = [[f"{line['lots']:,}"] if lots else [] for line in lines]
        rows = [
            (*at, *count, *(weight(line[name]) for name in names))
            for at, count, line in zip(where, counts, lines, strict=True)
        ]
        count = [f"{sum(line['lots'] for line in lines):,}"] if lots else []
        sums = [weight(sum(line[name] for line in lines)) for name in names]
        paper.note(say("gross_and_fine" if lots else "made_of"))
        paper.table(columns, [*rows, (say("sum"), "", "", *count, *sums)], last_is_sum=True)


def _breaks(paper: Paper, content: Mapping[str, Any], say: Say) -> None:
    if not content["breaks"]:
        paper.note(say("none"))
        return
    columns = [Column(say("kind"), 60), Column(say("open_breaks"), 20, right=True), Column("", 80)]
    paper.table(columns, [(say(f"break.{one['kind']}"), str(one["open"]), "") for one in content["breaks"]])


def _sheets(found: Bulletin, language: Language) -> dict[str, Sheet]:
    """Return the parts of a bulletin as sheets."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    def scale(one: Mapping[str, Any], name: str) -> Out:
        return scaled(one[name], 2) if name in (*_PRICES, "amount") else scaled(one[name], 3)

    instruments = [
        tuple(
            one["trades"]
            if name == "count"
            else one[name]
            if name == "symbol"
            else say(f"method.{one[name]}")
            if name.endswith("_method")
            else scale(one, name)
            for name in _INSTRUMENT
        )
        for one in content["instruments"]
    ]
    benchmarks = [
        (
            say(f"form.{one['form']}"),
            scaled(one["price"], 2),
            say(f"method.{one['method']}"),
            one["trades"],
            scaled(one["quantity_mg"], 3),
            scaled(one["amount_fen"], 2),
            scaled(one["minimum_mg"], 3),
            scaled(one["previous_fen_per_g"], 2),
        )
        for one in content.get("benchmarks", ())
    ]
    registered = [(one["symbol"], *(scale(one, name) for name in _REGISTERED)) for one in content["registered"]]
    weights = (*_GROSS, *_FINE, *_PARTS_OF_FINE)
    stock = [
        (
            line["warehouse"],
            say(f"form.{line['form']}"),
            say(line["customs"]),
            line["lots"],
            *(scale(line, name) for name in weights),
        )
        for line in content["stock"]
    ]
    grams = say("in_grams")
    record = content["record"] or {"day": None, "sha256": None}
    return {
        "instruments": Sheet(say("instruments"), tuple(map(say, _INSTRUMENT)), instruments),
        "benchmarks": Sheet(say("benchmarks"), tuple(map(say, _BENCHMARK)), benchmarks),
        "registered": Sheet(
            say("registered"), (say("symbol"), *(f"{say(name)}{grams}" for name in _REGISTERED)), registered
        ),
        "stock": Sheet(
            say("stock"),
            (*map(say, _PLACE), say("lot_count"), *(f"{say(name)}{grams}" for name in weights)),
            stock,
        ),
        "record": Sheet(say("record"), (say("day"), "SHA-256"), [(record["day"], record["sha256"])]),
        "breaks": Sheet(
            say("breaks"),
            (say("kind"), say("open_breaks")),
            [(say(f"break.{one['kind']}"), one["open"]) for one in content["breaks"]],
        ),
        "about": Sheet(say("bulletin"), (say("item"), ""), _head(content, say)),
    }
