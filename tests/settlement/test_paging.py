"""Every listing, over REST and typed by a clerk, gives each of its rows once and in the same order, page by page."""

import json
from typing import Any

import click
import pytest
from fastapi.routing import APIRoute

from api.settlement_routes import FOLDERS
from settlement.base.paging import LONGEST
from settlement.clerk import clerk as commands
from tests.settlement.commands import clerk
from tests.settlement.filled import HOLIDAYS, fill
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange

PARAMS: dict[str, dict[str, str]] = {
    "/documents": {"kind": "receipt"},
    "/fees/accruals": {"account": "A.H"},
    "/count-bars": {"count": "1"},
}
"""Parameters that a listing requires."""
ONE_DOCUMENT = {
    "/proposals/{number}",
    "/documents/{kind}/{number}",
    "/lots/{number}",
    "/breaks/{number}",
    "/breaks/{number}/files/{file_no}",
    "/counts/{number}",
    "/counts/{number}/list",
    "/counts/{number}/report",
    "/certificates/{number}",
    "/certificates/{number}/pdf",
    "/bank-statements/{number}",
    "/days/obstacles",
    "/days/{day}",
    "/days/{day}/differences",
    "/days/{day}/summary",
    "/waiting",
    "/payment-files/{number}/content",
    "/load-outs/{number}",
    "/tickets/{number}",
    "/members/{code}",
    "/staff/{code}",
    "/keys/{code}",
    "/files/{number}/content",
    "/account-statements/{number}",
    "/account-statements/{number}/file",
    "/invoices/{number}",
    "/invoices/{number}/file",
    "/exports/bars",
    "/exports/counts/{warehouse}",
    "/exports/stock",
    "/exports/accounts/{account}",
    "/aml-reports/export",
    "/status",
}
"""Routes that give one document or file."""
NO_ROWS = {"laboratory bias"}
"""Listings of clerks that are filled by another test."""


def routes() -> dict[str, set[str]]:
    """Return the paths that are read by GET, with the names of their query parameters."""
    found = {}
    for folder in FOLDERS:
        for route in folder.router.routes:
            assert isinstance(route, APIRoute)
            if "GET" in (route.methods or ()):
                dependants = [route.dependant, *route.dependant.dependencies]
                names = {field.alias for dependant in dependants for field in dependant.query_params}
                found[route.path.removeprefix("/v1/settlement")] = names
    return found


def listings(group: click.Group, words: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Return the commands that have ``--after``, by what is typed."""
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= listings(command, (*words, name))
        elif any("--after" in option.opts for option in command.params):
            found[" ".join((*words, name))] = command
    return found


async def pages(rest: Rest, path: str, limit: int) -> tuple[list[Any], int]:
    """Return the rows of a listing as they are read page by page, and how many pages that were."""
    rows: list[Any] = []
    params: dict[str, str | int] = {**PARAMS.get(path, {}), "limit": limit}
    count = 0
    while True:
        answer = await rest("auditor", "GET", path, params=params)
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
    assert {path for path, names in found.items() if not {"after", "limit"} <= names} == ONE_DOCUMENT
    assert len(found) - len(ONE_DOCUMENT) == 52


@pytest.mark.campaign
async def test_rest_gives_every_row_once(exchange: SmallExchange, rest: Rest) -> None:
    await fill(exchange, rest)
    for path in sorted(set(routes()) - ONE_DOCUMENT):
        whole, count = await pages(rest, path, LONGEST)
        assert count == 1, path
        assert len(whole) >= 3, path
        limit = max(1, len(whole) // 4)
        rows, count = await pages(rest, path, limit)
        assert rows == whole, path
        assert count == -(-len(whole) // limit), path
        assert len({str(row) for row in rows}) == len(rows), path
        for params in ({"limit": 0}, {"limit": LONGEST + 1}, {"after": "1,2,3,4,5"}, {"after": "\x00"}):
            bad = await rest("auditor", "GET", path, 422, params={**PARAMS.get(path, {}), **params})
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


@pytest.mark.campaign
@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_sees_every_row_once(exchange: SmallExchange, rest: Rest) -> None:
    await fill(exchange, rest)
    needed = {
        "documents": ("receipt",),
        "fees list": ("--account", "A.H"),
        "count bars": ("1",),
        "calendar list": ("--year", str(HOLIDAYS[0].year)),
    }
    found = listings(commands)
    assert len(found) == 46
    for typed in sorted(set(found) - NO_ROWS):
        words = (*typed.split(), *needed.get(typed, ()))
        headings, *whole = (await clerk(ONE, *words)).splitlines()
        assert len(whole) >= 3, typed
        objects = [json.loads(line) for line in (await clerk(ONE, *words, "--json")).splitlines()]
        assert [list(one) for one in objects] == [headings.split("\t")] * len(whole), typed
        limit = len(whole) // 2
        rows: list[str] = []
        after: tuple[str, ...] = ()
        while True:
            first, *part, last = (await clerk(ONE, *words, "--limit", str(limit), *after)).splitlines()
            assert first == headings, typed
            if not last.startswith("more follow: "):
                rows += [*part, last]
                break
            assert len(part) == limit, typed
            rows += part
            following = tuple(last.removeprefix("more follow: ").split())
            assert following != after, typed
            after = following
        assert rows == whole, typed
        assert "must be what" in await clerk(ONE, *words, "--after", "1,2,3,4,5", code=1)
