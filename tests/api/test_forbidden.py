"""Each forbidden practice of the table is tried through every door that could express it, and is refused.

Doors: a member's and an operator's WebSocket, REST and ``goldx operator``, a clerk's command, a file for ``goldx
replay``. A command that a door does not have is refused there as such.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import MetaData

from api.app import create_app
from goldx.client.errors import ExchangeError
from goldx.client.session import connect
from goldx.hosting.operator_request import give_command
from goldx.protocol import commands, events, reasons, terms, wire
from goldx.protocol.bases import MemberCommand, OperatorCommand
from goldx.protocol.commands import BY_METHOD
from matching.archive.replay import BadLine, Replay
from settlement.clerk.group import clerk
from settlement.tables.schema import metadata
from tests.api import forbidden
from tests.api.conftest import Desk
from tests.api.forbidden import CLERK_ROWS, NOT_EXPRESSIBLE, ROWS, Row
from tests.api.view.forms import holdings_of
from tests.http_client import http_client
from tests.matching.core.flows_of_regimes import regime_command

REGIMES = (terms.APPROVED, terms.NEGOTIATED, terms.WIND_DOWN)
HOLD_DAYS = 5
"""Under APPROVED: what was bought is locked for five trading days."""


def regime_params(regime: int) -> dict[str, Any]:
    """Return the parameters that set a regime of the trial."""
    command = regime_command(regime, "", min_hold_trading_days=HOLD_DAYS if regime == terms.APPROVED else 0)
    params: dict[str, Any] = wire.write_command(command)["params"]
    return params


def replaced(params: Any, names: dict[str, str]) -> Any:
    """Return the parameters of a row with the accounts and the instrument of a trial."""
    if isinstance(params, dict):
        return {key: replaced(value, names) for key, value in params.items()}
    if isinstance(params, list):
        return [replaced(value, names) for value in params]
    return names.get(params, params) if isinstance(params, str) else params


# A file for goldx replay


def prelude(regime: int) -> list[dict[str, Any]]:
    """Return the commands of a file whose exchange is like the trial's: A has much, D nothing, T has bought."""
    purse = (("A", "CNY", "1000000.00"), ("A", "AU", "10000"), ("A", "FEW", "1"), ("T", "CNY", "1000.00"))
    found: list[tuple[str, dict[str, Any]]] = [
        *[("account.open", {"account": name, "member": "FIRM-A"}) for name in ("A", "D", "T")],
        ("account.open", {"account": "B", "member": "FIRM-B"}),
        ("instrument.define", {"symbol": "AU"}),
        ("instrument.define", {"symbol": "FEW", "max_holders": 1}),
        *[
            (
                "holding.adjust",
                {"account": account, "asset": asset, "amount": amount, "reference": f"{account}-{asset}"},
            )
            for account, asset, amount in purse
        ],
        *[("venue.set_regime", regime_params(terms.APPROVED) | {"by": by}) for by in ("ada", "ben")],
        *[("market.set_phase", {"symbol": symbol, "phase": "continuous"}) for symbol in ("AU", "FEW")],
        ("order.place", forbidden.order(client_order_id="s", side="sell")),
        ("order.place", forbidden.order(client_order_id="b", account="T")),
    ]
    if regime != terms.APPROVED:
        found += [("venue.set_regime", regime_params(regime) | {"by": by}) for by in ("ada", "ben")]
    return [{"at": 1, "method": method, "params": params} for method, params in found]


FILE_ROWS = [row for row in ROWS if (row.method, row.reason) != ("order.place", "UNKNOWN_ACCOUNT")]
"""The rows that a file can have: it has no senders, so any account may be named in it."""


@pytest.mark.parametrize("row", FILE_ROWS, ids=lambda row: row.practice)
def test_a_file_for_replay_cannot_have_it(row: Row) -> None:
    work = Replay()
    lines = [msgspec.json.encode(line) for line in prelude(row.regime)]
    before = b"".join(work.run(lines)).splitlines()
    assert not [line for line in before if b"rejected" in line], "the prelude is in order"
    digest = work.engine.state.sequence
    line = msgspec.json.encode({"at": 1, "method": row.method, "params": row.params})
    if row.field:
        with pytest.raises(BadLine, match=f"{row.field}: .* it must be one of the parameters"):
            list(work.run([line]))
        assert work.engine.state.sequence == digest
        return
    (answered,) = work.run([line])
    refused = msgspec.json.decode(answered)
    assert refused["event"] == ("order.rejected" if row.method == "order.place" else "command.rejected")
    assert refused["reason"] == row.reason
    if row.reason in ("REGIME", "MAX_HOLDERS"):
        assert refused["detail"], "it says what would be needed"


# A gateway


class Trial:
    """A gateway's exchange with the accounts of the table, and the doors to it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.names = {"A": desk.a, "B": desk.b, "AU": desk.symbol}

    async def prepare(self) -> None:
        services, server = self.desk.services, self.desk.server
        await services.add_operator("op2")
        for account in ("D", "T"):
            await services.operate(server, "account.open", account=account, member="FIRM-A")
        await services.operate(server, "instrument.define", symbol="FEW", max_holders=1)
        await services.fund(server, **{self.desk.a: {"FEW": 1_000}, "T": {"CNY": 100_000}})
        await self.set_regime(terms.APPROVED)
        await services.operate(server, "market.set_phase", symbol="FEW", phase="continuous")
        async with services.member(server) as member:
            for name, account, side in (("s", self.desk.a, "sell"), ("b", "T", "buy")):
                await member.place(account, self.desk.symbol, side, price="600.00", quantity="1", client_order_id=name)

    async def set_regime(self, regime: int) -> None:
        for name in ("op", "op2"):
            answer = await self.rest("venue.set_regime", regime_params(regime), name)
            assert answer.status_code == 200, answer.text

    def standing(self) -> Any:
        """Return holdings, open orders, phases, trades and regimes as the gateway has them."""
        view = self.desk.server.gateway.view
        accounts = {name: (holdings_of(one), list(one.live)) for name, one in view.accounts.items()}
        phases = {symbol: one.phase for symbol, one in view.markets.items()}
        return accounts, phases, view.last_trade, view.regimes.history[:]

    async def rest(self, method: str, params: dict[str, Any], name: str = "op") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.desk.services.keys[name].bearer_token()}"}
        body = {"method": method, "params": {"reason": "a trial", **params}}
        async with http_client(self.desk.server.url, timeout=20) as http:
            return await http.post("/v1/operator/commands", json=body, headers=headers)


async def refusal(client: Any, method: str, params: dict[str, Any]) -> tuple[str, str]:
    """Return the reason and the field with which a WebSocket refuses a request."""
    with pytest.raises(ExchangeError) as caught:
        await client.call(method, **params)
    return caught.value.reason, caught.value.data.get("field", "")


async def test_no_door_of_a_gateway_lets_it_in(own_desk: Desk, tmp_path: Path) -> None:
    key_file = tmp_path / "op.pem"
    own_desk.services.keys["op"].save(key_file)
    trial = Trial(own_desk)
    await trial.prepare()
    services, server = own_desk.services, own_desk.server
    async with AsyncExitStack() as stack:
        member = await stack.enter_async_context(services.member(server))
        operator = await stack.enter_async_context(connect(server.url, services.keys["op"]))
        for regime in REGIMES:
            if regime != terms.APPROVED:
                await trial.set_regime(regime)
            before = trial.standing()
            for row in (row for row in ROWS if row.regime == regime):
                await try_doors(trial, row, member, operator, key_file)
            assert trial.standing() == before, "something has happened"


async def try_doors(trial: Trial, row: Row, member: Any, operator: Any, key_file: Path) -> None:
    params = replaced(row.params, trial.names)
    kind = BY_METHOD[row.method]
    given = ("-32602", row.field) if row.field else (row.reason, "")
    with_reason = {**params, "reason": "a trial"}
    answer = await trial.rest(row.method, params)
    problem = answer.json()
    with pytest.raises(click.ClickException) as by_command:
        await asyncio.to_thread(give_command, row.method, params, "a trial", key_file, trial.desk.server.url)
    if issubclass(kind, OperatorCommand):
        assert (await refusal(operator, row.method, with_reason))[0] == given[0], row
        assert (await refusal(member, row.method, with_reason))[0] == "NOT_PERMITTED", row
        assert (problem["reason"], row.field in problem["detail"]) == (row.reason, True), row
        assert row.reason in by_command.value.message or row.field in by_command.value.message, row
    else:
        assert (answer.status_code, problem["reason"]) == (422, "BAD_VALUE"), row
        assert problem["detail"].startswith("method: "), row
        assert "method: " in by_command.value.message, row
    if issubclass(kind, MemberCommand):
        reason, field = await refusal(member, row.method, params)
        assert reason == given[0], row
        assert row.field in ("", field), row
        assert (await refusal(operator, row.method, params))[0] in ("NOT_PERMITTED", "UNKNOWN_ACCOUNT"), row
    elif not issubclass(kind, OperatorCommand):
        for client in (member, operator):
            assert (await refusal(client, row.method, params))[0] == "-32601", row


# A clerk's commands


@pytest.mark.parametrize(("practice", "source", "words"), CLERK_ROWS, ids=[row[0] for row in CLERK_ROWS])
def test_a_clerk_has_no_option_for_it(practice: str, source: str, words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(clerk, ["--as", "clerk-1", *words])
    assert found.exit_code == 2
    assert "No such option" in found.output, practice
    assert source


# What has no words


def options(command: click.Command, path: str = "") -> Iterator[str]:
    """Yield the names of all parameters and sub-commands of a command."""
    yield from (f"{path} {name}" for parameter in command.params for name in (parameter.name, *parameter.opts) if name)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield f"{path} {name}"
            if (found := command.get_command(context, name)) is not None:
                yield from options(found, f"{path} {name}")


def names_of_the_product() -> set[str]:
    """Return every name by which somebody can ask the product for something, or it can say something."""
    records = (*commands.COMMANDS, *events.EVENTS, commands.Leg, commands.TradeTerms)
    found = {field for record in records for field in record.__struct_fields__}
    found |= {record.method for record in commands.COMMANDS} | {event.event for event in events.EVENTS}
    found |= set(wire.CODECS) | set(reasons.REASONS) | set(reasons.CANCEL_REASONS)
    tables: MetaData = metadata
    found |= {table.name for table in tables.tables.values()}
    found |= {column.name for table in tables.tables.values() for column in table.columns}
    found |= set(options(clerk))
    schema = create_app().openapi()
    found |= set(schema["paths"])
    for record in schema["components"]["schemas"].values():
        found |= set(record.get("properties", ()))
    for path in schema["paths"].values():
        for operation in path.values():
            found |= {parameter["name"] for parameter in operation.get("parameters", ())}
    return found


def test_what_cannot_be_asked_for_has_no_name() -> None:
    found = {re.sub("[^a-z0-9]+", " ", name.lower()) for name in names_of_the_product()}
    assert len(found) > 1_000
    for practice, (source, words) in NOT_EXPRESSIBLE.items():
        assert sorted(name for name in found if re.search(words, name)) == [], f"{practice} ({source})"


def test_nothing_claims_to_be_a_member_of_the_shanghai_exchange() -> None:
    _, words = forbidden.CLAIMS
    root = Path(__file__).parents[2]
    for folder in ("goldx", "api", "settlement", "matching"):
        for file in (root / folder).rglob("*"):
            if file.suffix in (".py", ".js", ".css", ".html", ".toml", ".csv"):
                assert re.search(words, file.read_text()) is None, file


def test_each_row_cites_a_section_of_the_domain_sheet() -> None:
    page = (Path(__file__).parents[2] / "docs" / "domain.md").read_text()
    sources = {row.source for row in ROWS} | {source for _, source, _ in CLERK_ROWS}
    sources |= {source for source, _ in NOT_EXPRESSIBLE.values()}
    for source in sources:
        assert f"\n### {source.partition(',')[0]} " in page, source
