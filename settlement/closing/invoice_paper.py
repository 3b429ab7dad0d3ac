"""Invoices as PDF and as a workbook, in Chinese or English."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from goldx.protocol.units import BadValue, format_decimal
from settlement.charges.tariff import BY_KILOGRAM
from settlement.closing.invoice_lines import TRADING
from settlement.closing.invoices import Invoice
from settlement.closing.paper import Column, Language, Paper
from settlement.closing.words import money, shown_day, weight, word
from settlement.workbooks import writing
from settlement.workbooks.writing import Sheet, scaled

KINDS: Final = ("pdf", "xlsx", "json")
_COLUMNS: Final = ("fee_name", "symbol", "document", "base", "rate", "net", "tax_rate", "tax", "amount")
_SUMS: Final = ("net_fen", "tax_fen", "amount_fen")


def write(found: Invoice, kind: str, language: Language) -> bytes:
    """Return an invoice as a file of a kind; JSON is its content, the bytes that its SHA-256 is of. Raises BadValue."""
    if kind == "pdf":
        return render(found, language)
    if kind == "xlsx":
        return workbook(found, language)
    if kind == "json":
        return found.text.encode()
    raise BadValue("format", kind, "one of " + ", ".join(KINDS))


def render(found: Invoice, language: Language) -> bytes:
    """Return an invoice as PDF."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    day = date.fromisoformat(content["day"])
    title = say("red_invoice" if "corrects" in content else "invoice")
    paper = Paper(f"{title} {found.number}", day, landscape=True)
    paper.title(title, f"№ {found.number}   {shown_day(language, day)}", say(f"invoice.{content['kind']}"))
    paper.fields(_head(content, say), columns=2)
    paper.heading(say("fees"))
    widths = (34, 26, 34, 34, 28, 24, 14, 22, 26)
    figures = ("base", "rate", "net", "tax_rate", "tax", "amount")
    columns = [Column(say(name), width, right=name in figures) for name, width in zip(_COLUMNS, widths, strict=True)]
    rows: list[tuple[str, ...]] = []
    for number, line in _numbered(content):
        name = f"{number}. {say('fee.' + line['fee'])}"
        about = f"{line['document']}\n{say('use.' + line['use'])}" if line["use"] else line["document"]
        percent = f"{format_decimal(line['rate_bp'], 2)}%"
        sums = (money(line["net_fen"]), percent, money(line["tax_fen"]), money(line["amount_fen"]))
        rows.append((f"{name}\n{line['account']}", line["symbol"], about, _base(line, say), _rate(line, say), *sums))
    net, tax, total = (money(content[name]) for name in _SUMS)
    paper.table(columns, [*rows, (say("sum"), "", "", "", "", net, "", tax, total)], last_is_sum=True)
    if any("line" in line for line in content["lines"]):
        paper.note(say("red_note"))
    paper.note(say("invoice_note"))
    return paper.finish(f"SHA-256 {found.hash.hex()}", say("page"))


def _numbered(content: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the lines with their numbers, which are those of the lines that a red invoice takes back."""
    return [(line.get("line", number), line) for number, line in enumerate(content["lines"], 1)]


def _head(content: Mapping[str, Any], say: Any) -> list[tuple[str, str]]:
    seller = content.get("seller", {})
    rows = [(say("seller"), seller["title"]), (say("seller_number"), seller["tax_number"])] if seller else []
    rows += [
        (say("buyer"), content["title"]),
        (say("tax_number"), content["tax_number"] or "–"),
        (say("member"), content["member"]),
        (say("range"), f"{content['first_sequence']}–{content['last_sequence']}"),
    ]
    if "corrects" in content:
        corrects = "corrects_part" if "remaining_fen" in content else "corrects"
        rows += [(say(corrects), f"№ {content['corrects']}"), (say("reason"), content["reason"])]
    if "remaining_fen" in content:
        rows.append((say("remaining"), f"{money(content['remaining_fen'])} CNY"))
    if "replaces" in content:
        rows.append((say("replaces"), f"№ {content['replaces']}"))
    return rows


def _base(line: Mapping[str, Any], say: Any) -> str:
    """Return what a fee was computed from: turnover, whole kilograms, pieces, or grams (times days).

    A part of an amount has nothing of the kind.
    """
    if line["base"] is None:
        return "–"
    if line["fee"] == TRADING:
        return f"{money(line['base'])} {say('unit.cny')}"
    if line["fee"] in BY_KILOGRAM:
        return f"{line['base']} {say('unit.kg')}"
    if line["fee"] == "UMPIRE":
        return str(line["base"])
    return f"{weight(line['base'])} {say('unit.gram' if line['fee'] == 'FREIGHT_INSURANCE' else 'unit.gram_days')}"


def _rate(line: Mapping[str, Any], say: Any) -> str:
    if line["rate"] is None or line["fee"] == "UMPIRE":
        return "–"
    per = {"FREIGHT_INSURANCE": "per.gram", "LOAD_IN": "per.kg", "LOAD_OUT": "per.kg"}.get(line["fee"], "per.kg_day")
    return f"{money(line['rate'])} {say(per)}"


def workbook(found: Invoice, language: Language) -> bytes:
    """Return an invoice as XLSX."""
    content = found.content

    def say(key: str) -> str:
        return word(language, key)

    about = [(say("invoice"), str(found.number)), (say("kind"), say(f"invoice.{content['kind']}"))]
    about += [(say("day"), content["day"]), *_head(content, say)]
    heading = (say("line"), say("account"), *(say(name) for name in _COLUMNS))
    rows = [
        (
            number,
            line["account"],
            say(f"fee.{line['fee']}"),
            line["symbol"],
            f"{line['document']} {say('use.' + line['use']) if line['use'] else ''}".strip(),
            _base(line, say),
            _rate(line, say),
            scaled(line["net_fen"], 2),
            f"{format_decimal(line['rate_bp'], 2)}%",
            scaled(line["tax_fen"], 2),
            scaled(line["amount_fen"], 2),
        )
        for number, line in _numbered(content)
    ]
    net, tax, total = (scaled(content[name], 2) for name in _SUMS)
    sums = (say("sum"), "", "", "", "", "", "", net, "", tax, total)
    sheets = [Sheet(say("invoice"), (say("item"), ""), about), Sheet(say("fees"), heading, [*rows, sums])]
    return writing.write_book(sheets, date.fromisoformat(content["day"]))
