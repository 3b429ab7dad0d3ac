"""Red invoices of a part: several against one invoice, never more than is left, and together the whole to the fen."""

import io
import json
from collections import Counter, defaultdict
from random import Random
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from goldx.protocol.units import BadValue, format_money
from settlement.base.refusal import Refused
from settlement.closing import (
    bulletin,
    bulletin_paper,
    invoice_paper,
    invoice_parts,
    invoices,
    records,
    red_invoices,
    statement_paper,
)
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.invoice_lines import taxed
from settlement.closing.invoice_parts import Part
from settlement.service import waiting
from settlement.tables.papers import invoice
from tests.settlement.closing.days import DAYS, end_day, statement_of
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused

FIGURES = ("net_fen", "tax_fen", "amount_fen")


async def content_of(exchange: SmallExchange, number: int) -> dict[str, Any]:
    return (await do(exchange, invoices.find, number)).content


async def red_of(exchange: SmallExchange, number: int) -> list[dict[str, Any]]:
    """Return the contents of the red invoices of an invoice, oldest first."""
    query = select(invoice.c.content).where(invoice.c.corrects == number).order_by(invoice.c.invoice_no)
    async with exchange.engine.connect() as connection:
        return [json.loads(found) for found in await connection.scalars(query)]


async def take_back(exchange: SmallExchange, number: int, *parts: Part, reason: str = "too high") -> list[int]:
    await do(exchange, red_invoices.propose, ONE, number, reason, parts=parts)
    return await do(exchange, red_invoices.approve, OTHER, number)


def sums(lines: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(line[name] for line in lines) for name in FIGURES}


@pytest.mark.parametrize("seed", range(20))
def test_parts_never_exceed_a_line_and_sum_to_it(seed: int) -> None:
    """The model of a line is a purse of fen, of which each is net or tax by its place in the line."""
    dice = Random(seed)
    whole = [
        {"base": dice.randint(1, 9), "rate": 5, "amount_fen": amount, **taxed(amount, dice.choice((600, 900, 1300)))}
        for amount in (dice.choice((1, 2, 99, dice.randint(3, 10**9))) for _ in range(dice.randint(1, 5)))
    ]
    purses = [line["amount_fen"] for line in whole]
    red: list[list[dict[str, Any]]] = []
    while any(purses):
        left = invoice_parts.remaining(whole, red)
        assert left == purses
        some = dice.sample(range(len(whole)), dice.randint(1, len(whole)))
        wanted = [Part(number + 1, dice.choice((None, 1, dice.randint(1, purses[number] + 2)))) for number in some]
        if any(not purses[line - 1] or (amount or 0) > purses[line - 1] for line, amount in wanted):
            with pytest.raises(BadValue, match="line"):
                invoice_parts.checked(wanted, left)
            # So that every sequence comes to its end.
            wanted = [Part(number, None) for number, purse in enumerate(purses, 1) if purse][:1]
        made = invoice_parts.take_back(whole, left, invoice_parts.checked(wanted, left))
        for line in made:
            taken = whole[line["line"] - 1]["amount_fen"] - purses[line["line"] - 1]
            purses[line["line"] - 1] += line["amount_fen"]
            assert line["amount_fen"] < 0
            assert line["net_fen"] <= 0 >= line["tax_fen"]
            assert line["net_fen"] + line["tax_fen"] == line["amount_fen"]
            rate, until = line["rate_bp"], taken - line["amount_fen"]
            assert -line["tax_fen"] == taxed(until, rate)["tax_fen"] - taxed(taken, rate)["tax_fen"]
            at_once = line["amount_fen"] == -whole[line["line"] - 1]["amount_fen"]
            assert line["base"] == (-whole[line["line"] - 1]["base"] if at_once else None)
        red.append(made)
    by_line: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for made in red:
        for line in made:
            by_line[line["line"]].update({name: -line[name] for name in FIGURES})
    assert [dict(by_line[number]) for number in sorted(by_line)] == [
        {name: line[name] for name in FIGURES} for line in whole
    ]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([], "parts"),
        ([Part(0, 1)], "line: 0"),
        ([Part(3, 1)], "line: 3"),
        ([Part(2, None)], "something is left"),
        ([Part(1, 1), Part(1, 2)], "named once"),
        ([Part(1, 0)], 'amount: "0.00"'),
        ([Part(1, -5)], 'amount: "-0.05"'),
        ([Part(1, 11)], "up to 0.10 of line 1"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(parts: list[Part], named: str) -> None:
    with pytest.raises(BadValue) as found:
        invoice_parts.checked(parts, [10, 0])
    assert named in str(found.value)


async def test_a_generated_sequence_of_corrections(invoiced: SmallExchange) -> None:
    """Two people correct two invoices at random; a model knows what is left of each line."""
    seed = 20261130
    dice = Random(seed)
    contents = {number: await content_of(invoiced, number) for number in (1, 2)}
    left = {number: [line["amount_fen"] for line in content["lines"]] for number, content in contents.items()}
    proposed: dict[int, list[int]] = {}
    for _ in range(40):
        number = dice.choice((1, 2))
        act = dice.choice(("propose", "propose", "approve", "decline"))
        if act != "propose":
            step = red_invoices.approve if act == "approve" else red_invoices.decline
            if number not in proposed:
                await refused(invoiced, "ILLEGAL_STEP", step, OTHER, number)
                continue
            await do(invoiced, step, OTHER, number)
            taken = proposed.pop(number)
            if act == "approve":
                left[number] = [rest - some for rest, some in zip(left[number], taken, strict=True)]
            continue
        line = dice.randrange(len(left[number]))
        amount = dice.randint(1, max(left[number][line] * 5 // 4, 1))
        parts = [Part(line + 1, amount)]
        propose = (invoiced, red_invoices.propose, ONE, number, "too high")
        if number in proposed or not any(left[number]):
            await _refuses(Refused, *propose, parts=parts)
        elif amount > left[number][line]:
            await _refuses(BadValue, *propose, parts=parts)
        else:
            await do(*propose, parts=parts)
            proposed[number] = [amount if one == line else 0 for one in range(len(left[number]))]
        shown = await do(invoiced, red_invoices.lines_left, await do(invoiced, invoices.find, number))
        assert [one.remaining_fen for one in shown] == left[number]
    assert all(rest != [line["amount_fen"] for line in contents[number]["lines"]] for number, rest in left.items())
    for number in sorted(contents):
        if number in proposed:
            await do(invoiced, red_invoices.decline, OTHER, number)
        if any(left[number]):
            await take_back(invoiced, number)
        red = await red_of(invoiced, number)
        assert sums(red) == {name: -contents[number][name] for name in FIGURES}, seed
        assert (await do(invoiced, invoices.find, number)).status == "CORRECTED"
        await refused(invoiced, "ILLEGAL_STEP", red_invoices.propose, ONE, number, "more", parts=[Part(1, 1)])
    numbers = [row.invoice_no for row in await do(invoiced, invoices.listing)]
    assert numbers == [*range(1, len(numbers) + 1)]


async def _refuses(error: type[Exception], *act: Any, **more: Any) -> None:
    with pytest.raises(error):
        await do(*act, **more)


async def test_a_part_stands_in_the_close_of_its_day(invoiced: SmallExchange) -> None:
    first = await content_of(invoiced, 1)
    trading = next(number for number, line in enumerate(first["lines"], 1) if line["fee"] == "TRADING")
    assert await take_back(invoiced, 1, Part(trading, 50), reason="rebate") == [3]
    red, rest = await content_of(invoiced, 3), first["amount_fen"] - 50
    assert (red["corrects"], red["reason"], red["remaining_fen"]) == (1, "rebate", rest)
    (line,) = red["lines"]
    tax = 50 - taxed(50, 600)["net_fen"]
    assert {name: line[name] for name in ("line", "base", "rate", *FIGURES)} == {
        "line": trading,
        "base": None,
        "rate": None,
        "net_fen": tax - 50,
        "tax_fen": -tax,
        "amount_fen": -50,
    }
    await invoiced.trade("B.H", "A.H", 60_000, 10)
    await end_day(invoiced, DAYS[1])
    await do(invoiced, red_invoices.propose, ONE, 1, "wrong buyer", again=True)
    assert await do(invoiced, red_invoices.approve, OTHER, 1) == [6, 7], "4 and 5 are those of the day"
    whole, new = await content_of(invoiced, 6), await content_of(invoiced, 7)
    assert "remaining_fen" not in whole
    assert whole["amount_fen"] == -rest == -new["amount_fen"]
    assert {line["line"]: line["base"] for line in whole["lines"]}[trading] is None
    assert all(line["base"] < 0 for line in whole["lines"] if line["line"] != trading)
    assert all(line["net_fen"] == taxed(line["amount_fen"], line["rate_bp"])["net_fen"] for line in new["lines"])
    await end_day(invoiced, DAYS[2])
    _, of_part, of_rest = await do(invoiced, days.over)
    await _named_by_the_close(invoiced, of_part, red)
    published = await do(invoiced, bulletin.find, of_rest.day)
    assert published.content["invoices_corrected"] == {"count": 1, "amount_fen": -rest}
    assert "invoices_corrected_in_part" not in published.content
    for day in await do(invoiced, days.over):
        assert all(one.same for one in await do(invoiced, records.recompute, day.day)), day


async def _named_by_the_close(exchange: SmallExchange, day: days.Day, red: dict[str, Any]) -> None:
    """Check that the close of the day of red invoice 3 names it as one of a part, in all its papers."""
    async with exchange.engine.connect() as connection:
        steps = {row.step: row.output for row in await closing.steps_of(connection, day.day)}
    assert [one[:4] for one in json.loads(steps["invoices"])["corrections"]] == [[3, 1, None, "A"]]
    statement = await statement_of(exchange, "A", day.day.isoformat())
    names = (*FIGURES, "remaining_fen", "reason", "corrects", "invoice")
    assert statement.content["invoice_corrections"] == [{name: red[name] for name in names}]
    book = openpyxl.load_workbook(io.BytesIO(statement_paper.write(statement, "xlsx", "en")))
    rows = [row[:3] for row in book["Corrections of invoices"].iter_rows(values_only=True)]
    assert rows[1:] == [(3, "Cancels out part of № 1", "rebate")]
    published = await do(exchange, bulletin.find, day.day)
    assert published.content["invoices_corrected_in_part"] == {"count": 1, "amount_fen": -50}
    assert "invoices_corrected" not in published.content
    about = bulletin_paper.write(published, "csv", "en", "about").decode("utf-8-sig")
    assert "Invoices cancelled out in part,1 · -0.50 CNY" in about
    found = await do(exchange, invoices.find, 3)
    made = openpyxl.load_workbook(io.BytesIO(invoice_paper.write(found, "xlsx", "en")))
    head = {row[0]: row[1] for row in made.worksheets[0].iter_rows(values_only=True)}
    assert head["Cancels out part of"] == "№ 1"
    assert head["Left of that invoice"] == f"{format_money(red['remaining_fen'])} CNY"
    assert invoice_paper.write(found, "pdf", "zh") != invoice_paper.write(found, "pdf", "en")


async def test_two_people_correct_a_part(invoiced: SmallExchange) -> None:
    await do(invoiced, red_invoices.propose, ONE, 1, "too high", parts=[Part(1, 3)])
    await refused(invoiced, "SAME_PERSON", red_invoices.approve, ONE, 1)
    await refused(invoiced, "ILLEGAL_STEP", red_invoices.propose, OTHER, 1, "too", parts=[Part(1, 1)])
    (one,) = [each for each in await do(invoiced, waiting.listing, OTHER) if each.kind == "invoice"]
    assert one.what == f"{ONE} proposes to take back 0.03 CNY of line 1: too high"
    with pytest.raises(BadValue, match="again"):
        await do(invoiced, red_invoices.propose, ONE, 2, "x", again=True, parts=[Part(1, 1)])
    assert await do(invoiced, red_invoices.approve, OTHER, 1) == [3]
    rows = {row.invoice_no: row for row in await do(invoiced, invoices.listing)}
    assert (rows[1].status, rows[1].reason, rows[1].parts) == ("ISSUED", None, None)
    assert rows[1].remaining_fen == rows[1].total_fen - 3
    assert (rows[3].status, rows[3].reason) == ("RED", "too high")
    assert (rows[3].correction_by, rows[3].corrected_by, rows[3].remaining_fen) == (ONE, OTHER, None)
    await refused(invoiced, "ILLEGAL_STEP", red_invoices.propose, ONE, 3, "the red one", parts=[Part(1, 1)])


async def test_the_database_refuses_what_takes_back_too_much(invoiced: SmallExchange) -> None:
    """Also where a program that does not count is the one that writes."""
    await take_back(invoiced, 1, Part(1, 1))
    with pytest.raises(IntegrityError, match=r"more of invoice 1 than it has: line 1"):
        await do(invoiced, _copy_the_whole, 1)
    with pytest.raises(IntegrityError, match="a red invoice stays as it is"):
        await do(invoiced, _run, "UPDATE invoice SET corrected_by = 'x' WHERE status = 'RED'")


async def _copy_the_whole(connection: Any, number: int) -> None:
    found = await invoices.find(connection, number)
    lines, left = found.content["lines"], [line["amount_fen"] for line in found.content["lines"]]
    red = invoice_parts.take_back(lines, left, invoice_parts.whole(left))
    content = {**found.content, "invoice": 99, "corrects": number, "reason": "x", "lines": red, **sums(red)}
    await invoices.write(connection, content, status="RED", reason="x", correction_by=ONE, corrected_by=OTHER)


async def _run(connection: Any, sql: str) -> None:
    await connection.execute(text(sql))


@pytest.mark.usefixtures("configured_database")
async def test_commands(invoiced: SmallExchange) -> None:
    headings, *rows = (await clerk(ONE, "invoice", "lines", "1")).splitlines()
    lines = [dict(zip(headings.split("\t"), row.split("\t"), strict=True)) for row in rows]
    assert [line["line"] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
    assert all(line["remaining_cny"] == line["amount_cny"] for line in lines)
    first = (await clerk(ONE, "invoice", "lines", "1", "--limit", "1")).splitlines()
    assert first == [headings, rows[0], "more follow: --after 1"]
    assert (await clerk(ONE, "invoice", "lines", "1", "--after", "1")).splitlines() == [headings, *rows[1:]]
    assert "must be what" in await clerk(ONE, "invoice", "lines", "1", "--after", "x", code=1)
    for wrong in ("x", "1=0.001", "1=x", "=1", "-1"):
        await clerk(ONE, "invoice", "correct", "1", "--reason", "rebate", "--line", wrong, code=2)
    assert "up to" in await clerk(ONE, "invoice", "correct", "1", "--reason", "rebate", "--line", "1=9999", code=1)
    typed = ("--line", "2", "--line", "1=0.01")
    await clerk(ONE, "invoice", "correct", "1", "--reason", "rebate", *typed)
    total = sum(line["amount_fen"] for line in (await content_of(invoiced, 1))["lines"])
    rest_fen = total - 1 - (await content_of(invoiced, 1))["lines"][1]["amount_fen"]
    approved = await clerk(OTHER, "invoice", "approve-correction", "1")
    assert approved == f"invoice 1 has {format_money(rest_fen)} CNY left; issued: 3\n"
    shown = (await clerk(ONE, "invoice", "list", "--member", "A")).splitlines()[1].split("\t")
    assert format_money(rest_fen) in shown


async def test_rest(invoiced: SmallExchange, rest: Rest) -> None:
    lines = (await content_of(invoiced, 1))["lines"]
    await take_back(invoiced, 1, Part(2, None))
    body = {"reason": "rebate", "parts": [{"line": 1, "amount": "0.02"}]}
    for wrong_body in ({"line": 0}, {"line": 1, "amount": "0"}, {"line": 2}, {"line": 1, "amount": "1e3"}):
        answer = await rest(ONE, "POST", "/invoices/1/correct", 422, json={**body, "parts": [wrong_body]})
        assert answer["reason"] == "BAD_VALUE"
    assert await rest(ONE, "POST", "/invoices/1/correct", json=body) == {"status": "CORRECTION_PROPOSED"}
    approval = await rest(OTHER, "POST", "/invoices/1/approve-correction")
    assert approval == {"status": "ISSUED", "invoices": [4]}
    answer = await rest(ONE, "GET", "/invoices/1")
    assert answer["remaining"][1] == "0.00"
    assert answer["remaining"][0] == format_money(lines[0]["amount_fen"] - 2)
    listed = {one["invoice_no"]: one["remaining"] for one in (await rest(ONE, "GET", "/invoices"))["invoices"]}
    rest_fen = sums(lines)["amount_fen"] - lines[1]["amount_fen"] - 2
    assert (listed[1], listed[3]) == (format_money(rest_fen), None)
