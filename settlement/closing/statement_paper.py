"""Statements of account as PDF and as a workbook, in Chinese or English."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from goldx.protocol.units import CASH, BadValue
from settlement.closing import claim_paper, correction_paper
from settlement.closing.paper import Column, Language, Paper
from settlement.closing.statements import AccountStatement
from settlement.closing.words import moment, money, price, shown_day, weight, word
from settlement.workbooks import writing
from settlement.workbooks.writing import Sheet, scaled

_MONEY: Final = ("balance", "available", "withdrawable", "frozen_orders", "sale_proceeds")
_MONEY_MOVED: Final = ("paid_in", "paid_out", "bought", "sold", "trading_fees", "bills", "other")
_GOLD: Final = ("total", "available", "withdrawable", "frozen_orders", "resale_lock", "pledged", "held")
_GOLD_MOVED: Final = ("bought", "sold", "load_in", "load_out", "other")
_TRADE: Final = ("time", "trade", "symbol", "side", "price", "quantity", "amount", "fee")


KINDS: Final = ("pdf", "xlsx", "json")
"""The kinds of files in which a statement is written."""


def write(found: AccountStatement, kind: str, language: Language) -> bytes:
    """Return a statement as a file of a kind; JSON is its content, the bytes that its SHA-256 is of."""
    if kind == "pdf":
        return render(found, language)
    if kind == "xlsx":
        return workbook(found, language)
    if kind == "json":
        return found.text.encode()
    raise BadValue("format", kind, "one of " + ", ".join(KINDS))


def render(found: AccountStatement, language: Language) -> bytes:
    """Return a statement as PDF."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    day = date.fromisoformat(content["day"])
    title = say(_title(content))
    subject = content.get("account", content["member"])
    paper = Paper(f"{title} {subject} {content['day']}", day)
    paper.title(title, shown_day(language, day), _names(content))
    paper.fields(_head(content, say))
    paper.heading(say("cash"))
    _cash(paper, content["cash"], say)
    if content["metal"]:
        paper.heading(say("metal"))
        _metal(paper, content["metal"], say)
    if "accounts" in content:
        paper.heading(say("accounts"))
        _accounts(paper, content["accounts"], say)
    else:
        _trades(paper, content, say)
        _movements(paper, content, say)
        _lots(paper, content["lots"], say)
    if "claim" in content:
        claim_paper.write(paper, content["claim"], say)
    if "invoice_corrections" in content:
        paper.heading(say("invoice_corrections"))
        correction_paper.write(paper, content["invoice_corrections"], say)
    if "differences" in content:
        _differences(paper, content["differences"], say)
    paper.note(say("confirm").format(content["days_to_object"]))
    return paper.finish(f"SHA-256 {found.hash.hex()}", say("page"))


def _title(content: Mapping[str, Any]) -> str:
    """Return the key of the paper's title."""
    return "house_statement" if content.get("account_kind") == "HOUSE" else str(content["paper"])


def _annulled(content: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the trades of the statement that were annulled, by the document that annulled them."""
    documents = {record["document"] for record in content["movements"] if record["kind"] == "trade_bust"}
    trades = {f"trade:{trade['trade']}": trade for trade in content["trades"]}
    return {document: trades[document] for document in documents if document in trades}


def _names(content: Mapping[str, Any]) -> str:
    return "   ".join(filter(None, (content["name_zh"], content["name"])))


def _head(content: Mapping[str, Any], say: Any) -> list[tuple[str, str]]:
    rows = [(say("issuer"), content["issuer"])] if "issuer" in content else []
    rows.append((say("member"), content["member"]))
    if "account" in content:
        rows += [
            (say("account"), content["account"]),
            (say("account_kind"), say(content["account_kind"])),
        ]
        if content["account_kind"] != "HOUSE":
            rows.append((say("owner"), content["owner"] or "–"))
    rows.append((say("range"), f"{content['first_sequence']}–{content['last_sequence']}"))
    rows.append((say("ended_at"), moment(content["ended_at"])))
    return rows


def _cash(paper: Paper, cash: Mapping[str, Any], say: Any) -> None:
    columns = [Column(say("item"), 40), *(Column(say(name), 26, right=True) for name in _MONEY)]
    ends = [(say(end), *(money(cash[end][name]) for name in _MONEY)) for end in ("opening", "closing")]
    paper.table(columns, ends)
    moved = [Column(say(name), 24, right=True) for name in _MONEY_MOVED]
    paper.table(moved, [[money(cash[name]) for name in _MONEY_MOVED]])


def _metal(paper: Paper, metals: Sequence[Mapping[str, Any]], say: Any) -> None:
    columns = [Column(say("symbol"), 26), Column(say("item"), 24)]
    columns += [Column(say(name), 22, right=True) for name in _GOLD]
    rows = [
        (metal["symbol"] if end == "opening" else "", say(end), *(weight(metal[end][name]) for name in _GOLD))
        for metal in metals
        for end in ("opening", "closing")
    ]
    paper.table(columns, rows)
    moved = [Column(say("symbol"), 30), *(Column(say(name), 24, right=True) for name in _GOLD_MOVED)]
    paper.table(moved, [(metal["symbol"], *(weight(metal[name]) for name in _GOLD_MOVED)) for metal in metals])


def _accounts(paper: Paper, accounts: Sequence[Mapping[str, Any]], say: Any) -> None:
    columns = [
        Column(say("account"), 40),
        Column(say("account_kind"), 16),
        Column(say("cash_closing"), 28, right=True),
        Column(say("metal_closing"), 36),
        Column(say("count"), 14, right=True),
        Column(say("hash"), 62),
    ]
    rows = [
        (
            account["account"],
            say(account["account_kind"]),
            money(account["cash"]),
            "\n".join(f"{symbol} {weight(mg)}" for symbol, mg in sorted(account["metal"].items())) or "–",
            str(account["trades"]),
            account["sha256"],
        )
        for account in accounts
    ]
    paper.table(columns, rows)


def _trades(paper: Paper, content: Mapping[str, Any], say: Any) -> None:
    trades, annulled = content["trades"], _annulled(content)
    paper.heading(say("trades"))
    if not trades:
        paper.note(say("none"))
        return
    widths = (34, 18, 26, 13, 23, 22, 28, 20)
    columns = [
        Column(say(name), width, right=n > 3) for n, (name, width) in enumerate(zip(_TRADE, widths, strict=True))
    ]
    rows = [
        (
            moment(trade["at"]),
            str(trade["trade"]),
            trade["symbol"],
            _side(trade, annulled, say),
            price(trade["price"]),
            weight(trade["quantity"]),
            money(trade["amount"]),
            money(trade["fee"]),
        )
        for trade in trades
    ]
    standing = [trade for trade in trades if f"trade:{trade['trade']}" not in annulled]
    sums = (money(sum(trade[name] for trade in standing)) for name in ("amount", "fee"))
    one_class = len({trade["symbol"] for trade in standing}) == 1
    quantity = weight(sum(trade["quantity"] for trade in standing)) if one_class else ""
    paper.table(columns, [*rows, (say("sum"), str(len(standing)), "", "", "", quantity, *sums)], last_is_sum=True)
    for trade in trades:
        if "lots" in trade:
            paper.note(f"{say('trade')} {trade['trade']}, {say('named_lots')}: {_named(trade)}")


def _named(trade: Mapping[str, Any]) -> str:
    """Return the receipts of the named lots of a trade, or an empty text."""
    return ", ".join(map(str, trade.get("lots", ())))


def _side(trade: Mapping[str, Any], annulled: Mapping[str, Any], say: Any) -> str:
    """Return the side of a trade, marked if the trade is a deal or was annulled."""
    side: str = say(trade["side"])
    marks = [say(f"trade_kind.{trade['kind']}")] if "kind" in trade else []
    marks += [say("annulled")] if f"trade:{trade['trade']}" in annulled else []
    return f"{side} ({', '.join(marks)})" if marks else side


def _bank_or_parts(record: Mapping[str, Any], annulled: Mapping[str, Mapping[str, Any]], say: Any) -> str:
    """Return the bank's reference of a movement of money; of an annulled trade the amount and fee that came back."""
    trade = annulled.get(record["document"])
    if record["kind"] != "trade_bust" or trade is None:
        return str(record["bank_reference"])
    back = trade["amount"] if trade["side"] == "BUY" else -trade["amount"]
    return f"{say('amount')} {money(back)}, {say('fee')} {money(trade['fee'])}"


def _movements(paper: Paper, content: Mapping[str, Any], say: Any) -> None:
    movements, annulled = content["movements"], _annulled(content)
    cash = [record for record in movements if record["asset"] == CASH]
    if cash:
        paper.heading(say("cash_movements"))
        columns = [Column(say("time"), 34), Column(say("kind"), 34), Column(say("document"), 34)]
        columns += [Column(say("bank_reference"), 44), Column(say("amount"), 30, right=True)]
        paper.table(
            columns,
            [(*_about(one, say), _bank_or_parts(one, annulled, say), money(one["amount"])) for one in cash],
        )
    gold = [record for record in movements if record["asset"] != CASH]
    if gold:
        paper.heading(say("metal_movements"))
        columns = [Column(say("time"), 34), Column(say("kind"), 34), Column(say("document"), 32)]
        columns += [Column(say("symbol"), 24)]
        columns += [Column(say(name), 24, right=True) for name in ("own", "pledged_g", "held_g")]
        parts = ("amount", "pledged", "held")
        rows = [(*_about(r, say), r["asset"], *(weight(r[name]) for name in parts)) for r in gold]
        paper.table(columns, rows)


def _about(record: Mapping[str, Any], say: Any) -> tuple[str, str, str]:
    return moment(record["at"]), say(f"kind.{record['kind']}"), record["document"]


def _lots(paper: Paper, lots: Sequence[Mapping[str, Any]], say: Any) -> None:
    if not lots:
        return
    paper.heading(say("lots"))
    columns = [Column(say("lot"), 16), Column(say("receipt"), 16), Column(say("mark"), 60), Column(say("symbol"), 26)]
    columns += [Column(say("warehouse"), 26), Column(say("fine"), 26, right=True)]
    rows = [
        (str(lot["lot"]), str(lot["receipt"]), mark(lot), lot["symbol"], lot["warehouse"], weight(lot["fine_mg"]))
        for lot in lots
    ]
    total = weight(sum(lot["fine_mg"] for lot in lots))
    paper.table(columns, [*rows, (say("sum"), "", "", "", "", total)], last_is_sum=True)
    paper.note(say("lots_note"))


def _differences(paper: Paper, differences: Sequence[Mapping[str, Any]], say: Any) -> None:
    paper.heading(say("differences"))
    columns = [Column(say("account"), 50), Column(say("symbol"), 30)]
    columns += [Column(say(name), 36, right=True) for name in ("in_ledger", "in_engine", "break")]
    rows = [
        (
            each["account"],
            each["asset"],
            *((money if each["asset"] == CASH else weight)(each[side]) for side in ("ledger", "engine")),
            str(each["break"]),
        )
        for each in differences
    ]
    paper.table(columns, rows)
    paper.note(say("differences_note"))


def mark(lot: Mapping[str, Any]) -> str:
    """Return the mark on a bar: maker, number and year."""
    return f"{lot['refiner']} {lot['serial']}" + (f" ({lot['year']})" if lot["year"] else "")


def workbook(found: AccountStatement, language: Language) -> bytes:
    """Return a statement as XLSX, a sheet for each part."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    cash, day = content["cash"], date.fromisoformat(content["day"])
    about = [*_head(content, say), (say("day"), content["day"]), (say("hash"), found.hash.hex())]
    sheets = [
        Sheet(say(_title(content)), (say("item"), ""), about),
        Sheet(
            say("cash"),
            (say("item"), say("amount")),
            [
                *((f"{say('opening')} {say(name)}", scaled(cash["opening"][name], 2)) for name in _MONEY),
                *((say(name), scaled(cash[name], 2)) for name in _MONEY_MOVED),
                *((f"{say('closing')} {say(name)}", scaled(cash["closing"][name], 2)) for name in _MONEY),
            ],
        ),
        Sheet(
            say("metal"),
            (
                say("symbol"),
                *(f"{say('opening')} {say(name)}" for name in _GOLD),
                *(say(name) for name in _GOLD_MOVED),
                *(f"{say('closing')} {say(name)}" for name in _GOLD),
            ),
            [
                (
                    metal["symbol"],
                    *(scaled(metal["opening"][name], 3) for name in _GOLD),
                    *(scaled(metal[name], 3) for name in _GOLD_MOVED),
                    *(scaled(metal["closing"][name], 3) for name in _GOLD),
                )
                for metal in content["metal"]
            ],
        ),
    ]
    sheets += _account_sheets(content, say) if "accounts" not in content else [_accounts_sheet(content, say)]
    if "claim" in content:
        sheets.append(claim_paper.sheet(content["claim"], say))
    if "invoice_corrections" in content:
        sheets.append(correction_paper.sheet(content["invoice_corrections"], say))
    if "differences" in content:
        sheets.append(_difference_sheet(content["differences"], say))
    return writing.write_book(sheets, day)


def _difference_sheet(differences: Sequence[Mapping[str, Any]], say: Any) -> Sheet:
    rows = [
        (
            each["account"],
            each["asset"],
            *(scaled(each[side], 2 if each["asset"] == CASH else 3) for side in ("ledger", "engine")),
            each["break"],
        )
        for each in differences
    ]
    heading = tuple(map(say, ("account", "symbol", "in_ledger", "in_engine", "break")))
    return Sheet(say("differences_sheet"), heading, rows)


def _accounts_sheet(content: Mapping[str, Any], say: Any) -> Sheet:
    heading = tuple(map(say, ("account", "account_kind", "cash_closing", "metal_closing", "count", "hash")))
    rows = [
        (
            account["account"],
            say(account["account_kind"]),
            scaled(account["cash"], 2),
            "; ".join(f"{symbol} {weight(mg)}" for symbol, mg in sorted(account["metal"].items())),
            account["trades"],
            account["sha256"],
        )
        for account in content["accounts"]
    ]
    return Sheet(say("accounts"), heading, rows)


def _account_sheets(content: Mapping[str, Any], say: Any) -> list[Sheet]:
    annulled = _annulled(content)
    trades = [
        (
            moment(trade["at"]),
            trade["trade"],
            trade["symbol"],
            _side(trade, annulled, say),
            scaled(trade["price"], 2),
            scaled(trade["quantity"], 3),
            scaled(trade["amount"], 2),
            scaled(trade["fee"], 2),
            _named(trade),
        )
        for trade in content["trades"]
    ]
    movements = [
        (
            moment(record["at"]),
            say(f"kind.{record['kind']}"),
            record["document"],
            _bank_or_parts(record, annulled, say),
            record["asset"],
            *(scaled(record[part], 2 if record["asset"] == CASH else 3) for part in ("amount", "pledged", "held")),
        )
        for record in content["movements"]
    ]
    moved = tuple(map(say, ("time", "kind", "document", "bank_reference", "symbol", "amount", "pledged", "held")))
    lots = [
        (lot["lot"], lot["receipt"], mark(lot), lot["symbol"], lot["warehouse"], scaled(lot["fine_mg"], 3))
        for lot in content["lots"]
    ]
    held = tuple(map(say, ("lot", "receipt", "mark", "symbol", "warehouse", "fine")))
    return [
        Sheet(say("trades"), tuple(map(say, (*_TRADE, "named_lots"))), trades),
        Sheet(say("movements"), moved, movements),
        Sheet(say("lots"), held, lots),
    ]
