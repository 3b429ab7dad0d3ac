"""Every listing, over REST and typed by a clerk, gives each of its rows once and in the same order, page by page."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, Final

import click
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from goldx.cli import main
from goldx.protocol.units import BadValue
from settlement.base.paging import LONGEST, PageRequest, cut_in_order, parse_number
from settlement.service import waiting
from settlement.service.waiting import Waiting
from tests.settlement.closing.days import DAYS
from tests.settlement.commands import goldx
from tests.settlement.filled import HOLIDAYS, fill
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange

SETTLEMENT: Final = "/v1/settlement"
PARAMS: dict[str, dict[str, str]] = {
    "/documents": {"kind": "receipt"},
    "/fees/accruals": {"account": "A.H"},
    "/count-bars": {"count": "1"},
}
"""Parameters that a listing requires."""
DAY_OF = {"/days/{day}/differences": DAYS[2], "/days/{day}/left-open": DAYS[0]}
"""The day that a listing is about."""
ONE_ROW = "the one row that its path names, with what belongs to it"
A_FILE = "a file"
A_PAPER = "one paper"
ONE_DOCUMENT: Final = {
    "/health": "whether a gateway works",
    "/metrics": "the format of Prometheus has no pages; its labels are fixed",
    "/docs": "a page for people",
    "/v1/status": "the state of one gateway",
    "/v1/time": "one time",
    "/v1/book/{symbol}": "the parameter `depth` bounds its levels",
    "/v1/venue/regime": "the regime in force; it is changed a few times in a venue's life",
    "/v1/notices/{notice_id}/answers": "one notice, with at most the members that it asks",
    "/v1/limits/{member}": "one member, with its accounts",
    "/v1/certificates/{number}": A_PAPER,
    "/v1/invoices/{number}": A_PAPER,
    "/v1/invoices/{number}/file": A_FILE,
    "/v1/statements/{number}": A_PAPER,
    "/v1/statements/{number}/file": A_FILE,
    "/v1/bulletins/{day}": A_PAPER,
    "/v1/bulletins/{day}/file": A_FILE,
    "/v1/withdrawals/{number}": ONE_ROW,
    "/v1/withdrawable/{account}": "one sum",
    f"{SETTLEMENT}/proposals/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/documents/{{kind}}/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/lots/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/breaks/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/breaks/{{number}}/files/{{file_no}}": A_FILE,
    f"{SETTLEMENT}/counts/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/counts/{{number}}/list": A_FILE,
    f"{SETTLEMENT}/counts/{{number}}/report": A_FILE,
    f"{SETTLEMENT}/certificates/{{number}}": A_PAPER,
    f"{SETTLEMENT}/certificates/{{number}}/pdf": A_FILE,
    f"{SETTLEMENT}/bank-statements/{{number}}": A_PAPER,
    f"{SETTLEMENT}/days/{{day}}": "one day: its steps, its signatures and a price for each class",
    f"{SETTLEMENT}/days/{{day}}/summary": "what is signed for one day",
    f"{SETTLEMENT}/payment-files/{{number}}/content": A_FILE,
    f"{SETTLEMENT}/load-outs/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/tickets/{{number}}": ONE_ROW,
    f"{SETTLEMENT}/members/{{code}}": ONE_ROW,
    f"{SETTLEMENT}/staff/{{code}}": ONE_ROW,
    f"{SETTLEMENT}/keys/{{code}}": ONE_ROW,
    f"{SETTLEMENT}/files/{{number}}/content": A_FILE,
    f"{SETTLEMENT}/account-statements/{{number}}": A_PAPER,
    f"{SETTLEMENT}/account-statements/{{number}}/file": A_FILE,
    f"{SETTLEMENT}/invoices/{{number}}": A_PAPER,
    f"{SETTLEMENT}/invoices/{{number}}/file": A_FILE,
    f"{SETTLEMENT}/exports/bars": A_FILE,
    f"{SETTLEMENT}/exports/counts/{{warehouse}}": A_FILE,
    f"{SETTLEMENT}/exports/stock": A_FILE,
    f"{SETTLEMENT}/exports/accounts/{{account}}": A_FILE,
    f"{SETTLEMENT}/aml-reports/export": A_FILE,
    f"{SETTLEMENT}/status": "how far settlement is",
}
"""Paths that are read by GET and have no pages, each with the reason."""
OUTCOME = "the outcome of what it has done"
WITH_PROGRAM = "what comes with the program"
ONE_ANSWER: Final = {
    "audit verify": OUTCOME,
    "calendar show": "the days that are asked for, of a file",
    "clerk assay commitment": "one figure",
    "clerk bank import": OUTCOME,
    "clerk bank match": OUTCOME,
    "clerk bank pay-answer": OUTCOME,
    "clerk bank profiles": WITH_PROGRAM,
    "clerk bank payment-tables": WITH_PROGRAM,
    "clerk bank reconcile": OUTCOME,
    "clerk bank statement": ONE_ROW,
    "clerk break show": ONE_ROW,
    "clerk certificate recompute": OUTCOME,
    "clerk certificate show": A_PAPER,
    "clerk certificate verify": OUTCOME,
    "clerk count close": OUTCOME,
    "clerk counter show": ONE_ROW,
    "clerk document": ONE_ROW,
    "clerk import-bars": OUTCOME,
    "clerk lot": ONE_ROW,
    "clerk process": OUTCOME,
    "clerk proposal": ONE_ROW,
    "clerk reconcile": OUTCOME,
    "clerk statement": OUTCOME,
    "clerk states": WITH_PROGRAM,
    "clerk value": "the figures of one lot",
    "day close": OUTCOME,
    "day open": OUTCOME,
    "day recompute": "the steps of one close",
    "day show": "what is signed for one day",
    "day sign": OUTCOME,
    "day status": "the steps and signatures of one day",
    "day verify": OUTCOME,
    "demo": OUTCOME,
    "journal archive": OUTCOME,
    "journal verify": OUTCOME,
    "key show": ONE_ROW,
    "member show": ONE_ROW,
    "settings": WITH_PROGRAM,
    "staff show": ONE_ROW,
    "timetable plan": "one day of a file",
}
"""Commands that show something and have no pages, each with the reason; `bench` measures and is left out."""
ELSEWHERE: Final = {
    "clerk invoice lines": "tests/settlement/closing/test_red_invoices.py",
    "clerk laboratory bias": "tests/settlement/assays/test_two_parties.py",
    "limits list": "tests/api/view/test_limits.py",
    "notice list": "tests/api/view/test_notices.py",
}
"""Listings that are filled by another test."""


def routes() -> dict[str, set[str]]:
    """Return the paths that are read by GET, with the names of their query parameters."""
    found = {}
    for route in create_app(staff=True).routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            dependants = [route.dependant, *route.dependant.dependencies]
            found[route.path] = {field.alias for dependant in dependants for field in dependant.query_params}
    return found


def of_settlement() -> list[str]:
    """Return the paths of the listings of settlement, without what all of them begin with."""
    paged = sorted(set(routes()) - set(ONE_DOCUMENT))
    return [path.removeprefix(SETTLEMENT) for path in paged if path.startswith(SETTLEMENT)]


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands, each with what is typed."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def shown() -> dict[str, bool]:
    """Return the commands that show something, by what is typed, and whether each has pages.

    Whatever takes ``--json`` shows something, and so does what prints a table or is called ``list``.
    """
    found = {}
    for typed, command in commands(main):
        assert command.callback is not None
        names = inspect.unwrap(command.callback).__code__.co_names
        options = {option for parameter in command.params for option in parameter.opts}
        prints = {"print_table", "Table", "print_pages", "show"} & set(names) or typed.endswith("list")
        if ("--json" in options or prints) and not typed.startswith("bench "):
            found[typed] = {"--after", "--limit"} <= options
    return found


async def pages(rest: Rest, path: str, limit: int) -> tuple[list[Any], int]:
    """Return the rows of a listing as they are read page by page, and how many pages that were."""
    rows: list[Any] = []
    params: dict[str, str | int] = {**PARAMS.get(path, {}), "limit": limit}
    count, where = 0, path.format(day=DAY_OF.get(path))
    while True:
        answer = await rest(ONE if path == "/waiting" else "auditor", "GET", where, params=params)
        (part,) = [value for name, value in answer.items() if isinstance(value, list) and name != "biases"]
        assert 0 < len(part) <= limit, path
        rows += part
        count += 1
        if answer["next"] is None:
            return rows, count
        assert params.get("after") != answer["next"], path
        params["after"] = answer["next"]


def test_what_is_read_by_get_is_one_document_or_has_pages() -> None:
    found = routes()
    assert {path for path, names in found.items() if not {"after", "limit"} <= names} == set(ONE_DOCUMENT)
    assert len(of_settlement()) > 50


def test_what_a_command_shows_is_one_answer_or_has_pages() -> None:
    found = shown()
    assert {typed for typed, paged in found.items() if not paged} == set(ONE_ANSWER)
    assert len(found) - len(ONE_ANSWER) > 50


def test_a_page_follows_a_row_that_is_gone() -> None:
    """Rows are dealt with while they are read; numbers come in their order, not in that of their digits."""
    numbers = [12, 2, 101, 7]
    first = cut_in_order(numbers, str, parse_number, PageRequest(None, 2))
    assert (first, first.next) == ([2, 7], "7")
    rest = cut_in_order([12, 2, 101], str, parse_number, PageRequest(first.next, 2))
    assert (rest, rest.next) == ([12, 101], None)
    for wrong in ("x", "-1", "1,2", ""):
        with pytest.raises(BadValue, match="must be what"):
            cut_in_order(numbers, str, parse_number, PageRequest(wrong, 2))


def test_what_waits_keeps_its_order_from_page_to_page() -> None:
    found = [
        Waiting("sign", "2026-11-24", "its numbers are to be signed", 1, "", "risk"),
        Waiting("sign", "2026-11-24", "its money is to be signed", 1, "", "settlement"),
        Waiting("near_tie", "9", "", None, ""),
        Waiting("payment", "10", "", None, ""),
        Waiting("break", "2", "", 3, ""),
        Waiting("proposal", "11", "", 0, ""),
        Waiting("proposal", "9", "", 0, ""),
    ]
    whole = waiting.part(found, PageRequest())
    rows: list[Waiting] = []
    after: str | None = None
    while len(rows) < len(found):
        page = waiting.part(found, PageRequest(after, 1))
        rows += page
        after = page.next
    assert after is None
    assert rows == whole
    assert [(one.kind, one.subject) for one in whole] == [
        ("proposal", "9"),
        ("proposal", "11"),
        ("sign", "2026-11-24"),
        ("sign", "2026-11-24"),
        ("break", "2"),
        ("near_tie", "9"),
        ("payment", "10"),
    ]
    assert [one.capacity for one in whole if one.kind == "sign"] == ["settlement", "risk"]
    for wrong in ("cow,1", "break", "break,1,risk", "sign,2026-11-24", "sign,2026-11-24,cook"):
        with pytest.raises(BadValue, match="must be what"):
            waiting.part(found, PageRequest(wrong, 1))


@pytest.mark.campaign
async def test_rest_gives_every_row_once(exchange: SmallExchange, rest: Rest) -> None:
    await fill(exchange, rest)
    for path in of_settlement():
        whole, count = await pages(rest, path, LONGEST)
        assert count == 1, path
        assert len(whole) >= 3, path
        limit = max(1, len(whole) // 4)
        rows, count = await pages(rest, path, limit)
        assert rows == whole, path
        assert count == -(-len(whole) // limit), path
        assert len({str(row) for row in rows}) == len(rows), path
        where = path.format(day=DAY_OF.get(path))
        for params in ({"limit": 0}, {"limit": LONGEST + 1}, {"after": "1,2,3,4,5"}, {"after": "\x00"}):
            bad = await rest("auditor", "GET", where, 422, params={**PARAMS.get(path, {}), **params})
            assert bad["reason"] == "BAD_VALUE", path
    for number in ("-1", "1.0", "x", "", str(2**63), "9" * 5_000):
        await rest("auditor", "GET", "/lots", 422, params={"after": number})


async def test_a_row_that_comes_between_two_pages_is_read_once(rest: Rest) -> None:
    scale = {"warehouse": "XM1", "resolution": "0.01", "capacity": "5000.00", "calibration": "CAL-2"}
    scale["valid_until"] = "2099-12-31"
    for code in ("A", "C", "E"):
        await rest(ONE, "POST", "/scales", json={"scale": code, **scale})
    first = await rest(ONE, "GET", "/scales", params={"limit": 2})
    for code in ("B", "D"):
        await rest(ONE, "POST", "/scales", json={"scale": code, **scale})
    second = await rest(ONE, "GET", "/scales", params={"after": first["next"]})
    assert [row["scale"] for row in first["scales"]] == ["A", "C"]
    assert [row["scale"] for row in second["scales"]] == ["D", "E", "SCALE-1"]
    assert (first["next"], second["next"]) == ("C", None)


async def typed_rows(*words: str) -> tuple[list[str], str | None]:
    """Type a listing; return its lines and, if it is not the last page, the ``--after`` of the next one.

    What lists obstacles ends with code 1 if there are any.
    """
    group, *rest = words
    code = 1 if words[:2] == ("day", "why") or words[:3] == ("clerk", "break", "stops") else 0
    found = await goldx(group, *(("--as", ONE) if group in ("clerk", "day") else ()), *rest, code=code)
    *lines, last = found.output.splitlines()
    if last.startswith("more follow: --after "):
        return lines, last.removeprefix("more follow: --after ")
    return [*lines, last], None


@pytest.mark.campaign
@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_sees_every_row_once(exchange: SmallExchange, rest: Rest) -> None:
    await fill(exchange, rest)
    needed = {
        "clerk documents": ("receipt",),
        "clerk fees list": ("--account", "A.H"),
        "clerk count bars": ("1",),
        "clerk calendar list": ("--year", str(HOLIDAYS[0].year)),
        "day prices": (DAYS[0],),
        "day left-open": (DAYS[0],),
        "day difference list": (DAYS[2],),
    }
    for typed in sorted(name for name, paged in shown().items() if paged and name not in ELSEWHERE):
        words = (*typed.split(), *needed.get(typed, ()))
        (headings, *whole), following = await typed_rows(*words)
        assert following is None, typed
        assert len(whole) >= 3, typed
        objects = [json.loads(line) for line in (await typed_rows(*words, "--json"))[0]]
        assert [list(one) for one in objects] == [headings.split("\t")] * len(whole), typed
        limit = -(-len(whole) // 2)
        rows: list[str] = []
        after: tuple[str, ...] = ()
        while True:
            (first, *part), following = await typed_rows(*words, "--limit", str(limit), *after)
            assert first == headings, typed
            rows += part
            if following is None:
                break
            assert len(part) == limit, typed
            assert following not in after, typed
            after = ("--after", following)
        assert rows == whole, typed
    bad = await goldx("clerk", "--as", ONE, "break", "stops", "--after", "1,2,3,4,5", code=1)
    assert "must be what" in bad.output
