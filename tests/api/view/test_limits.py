"""The limits of members as gateways show them: the same figures as the core's, and who sees whose."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from click.testing import CliRunner

from api.view import limit_forms, snapshot
from api.view.limit_forms import used, write_member, write_members
from api.view.view import View
from goldx import limits_command
from goldx.cli import main
from goldx.client.errors import ExchangeError
from goldx.client.session import connect
from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.limit_commands import LimitsSet
from goldx.streams.frames import EventFrame
from matching.core.engine import Engine
from tests.api.conftest import Desk
from tests.matching.core.dice import SeededDice
from tests.matching.core.driving import apply
from tests.matching.core.flows_of_orders import LimitFlow


def check_figures(engine: Engine, view: View) -> int:
    """Compare what the view shows of limits with the core's; return the number of accounts that are counted."""
    state = engine.state
    counted = [account for account in state.accounts.values() if account.usage is not None]
    assert sorted(view.limits.state.counted_after) == sorted({account.member.name for account in counted})
    for account in counted:
        usage = account.usage
        assert usage is not None
        figures = usage.open_orders, usage.net_purchases(), usage.net_sales()
        assert used(view, view.requests.count_quotes(), [account.name]) == figures, account.name
    assert len(view.limits.state.proposed) == len(state.proposed_limits)
    return len(counted)


def test_the_view_counts_what_the_core_counts() -> None:
    """Also in a view that is restored from a snapshot in the middle."""
    counted = 0
    for seed in range(3):
        engine, view = Engine(), View()
        steps: list[tuple[int, AnyCommand]] = list(LimitFlow(SeededDice(Random(seed))).steps(250))
        for number, (at, command) in enumerate(steps, 1):
            view.apply(EventFrame((at, number), (tuple(apply(engine, at, command)),)), lambda *_: ())
            counted += check_figures(engine, view)
            if number == 150:
                again = View()
                snapshot.read(snapshot.parse(snapshot.write(view)), again)
                assert [write_member(again, name) for name in view.members] == [
                    write_member(view, name) for name in view.members
                ]
                view = again
    assert counted > 500


async def set_limits(desk: Desk, **params: Any) -> dict[str, Any]:
    (event,) = await desk.services.operate(desk.server, "limits.set", **params)
    found: dict[str, Any] = event
    return found


async def second_operator(desk: Desk, **params: Any) -> dict[str, Any]:
    """Set limits as another operator."""
    key = desk.services.keys.get("op-2") or await desk.services.add_operator("op-2")
    async with connect(desk.server.url, key) as operator:
        (event,) = (await operator.call("limits.set", reason="a test", **params))["events"]
        return dict(event)


async def get(desk: Desk, path: str, key: str = "op") -> httpx.Response:
    headers = {"Authorization": f"Bearer {desk.services.keys[key].bearer_token()}"}
    async with httpx.AsyncClient(base_url=desk.server.url, trust_env=False, timeout=60) as http:
        return await http.get(path, headers=headers)


def of_account(shown: dict[str, Any], account: str) -> dict[str, Any]:
    (found,) = [one for one in shown["accounts"] if one["account"] == account]
    return dict(found)


async def test_a_member_is_refused_beyond_its_limit_and_sees_why(desk: Desk) -> None:
    """The desk's account alone has limits: other tests share the member."""
    subject = {"member": "FIRM-A", "account": desk.a}
    changed = await set_limits(desk, **subject, max_open_orders=1, max_net_purchases="1500.00")
    assert changed["event"] == "limits.changed"
    assert (changed["max_net_purchases"], changed["by"], changed["reason"]) == ("1500.00", "op", "a test")
    async with connect(desk.server.url, desk.services.keys["FIRM-A"]) as client:
        order = {"account": desk.a, "symbol": desk.symbol, "side": "buy", "type": "limit", "price": "600.00"}
        await client.call("order.place", **order, client_order_id="o1", quantity="2")
        with pytest.raises(ExchangeError) as refused:
            await client.call("order.place", **order, client_order_id="o2", quantity="1")
        assert refused.value.reason == "MEMBER_LIMIT"
        assert "max_open_orders: account" in str(refused.value)
        shown = of_account(await client.limits(), desk.a)
        assert shown["limits"] == {"max_open_orders": 1, "max_net_purchases": "1500.00"}
        assert shown["used"] == {"open_orders": 1, "net_purchases": "1200.00", "net_sales": "0"}
        await client.call("order.cancel", account=desk.a, client_order_id="o1")
        assert of_account(await client.limits(), desk.a)["used"]["open_orders"] == 0

    proposed = await set_limits(desk, **subject)
    assert proposed["event"] == "limits.proposed"
    shown = (await get(desk, "/v1/limits/FIRM-A")).json()
    assert proposed in shown["proposed"]
    listed = (await get(desk, "/v1/limits")).json()
    assert "FIRM-A" in [one["member"] for one in listed["members"]]
    following = (await get(desk, "/v1/limits?after=FIRM-0")).json()
    assert following["members"] == listed["members"], "a page follows a member that has no limits any more"
    assert (await second_operator(desk, **subject))["event"] == "limits.changed"
    shown = (await get(desk, "/v1/limits/FIRM-A")).json()
    assert of_account(shown, desk.a)["limits"] == {}
    assert [(event["by"], event.get("proposed_by")) for event in shown["history"][:2]] == [("op-2", "op"), ("op", None)]
    listed = (await get(desk, "/v1/limits")).json()
    assert "FIRM-A" not in [one["member"] for one in listed["members"]], "its use is counted until the day ends"


async def test_a_long_listing_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The members that are written afterwards have what happens meanwhile."""
    engine, view = Engine(), View()
    sent: list[AnyCommand] = [commands.InstrumentDefine("AU")]
    sent += [commands.AccountOpen(account, member) for account, member in (("a", "MA"), ("b", "MB"), ("c", "MC"))]
    sent += [LimitsSet(member, "a limit", max_open_orders=9) for member in ("MA", "MB", "MC")]
    sent.append(commands.HoldingAdjust("c", "CNY", 10**9, "cash"))
    sent.append(commands.MarketSetPhase("AU", terms.CONTINUOUS))
    sent += [
        commands.AccountOpen("late", "MC"),
        commands.OrderPlace("c", "o", "AU", terms.BUY, terms.LIMIT, 1_000, 60_000),
    ]

    def give(number: int, command: AnyCommand) -> None:
        view.apply(EventFrame((1, number), (tuple(apply(engine, 1, command)),)), lambda *_: ())

    for number, command in enumerate(sent[:-2], 1):
        give(number, command)
    monkeypatch.setattr(limit_forms, "AT_ONCE", 1)
    listing = asyncio.ensure_future(write_members(view, ["MA", "MB", "MC"]))
    await asyncio.sleep(0)
    for number, command in enumerate(sent[-2:], len(sent) - 1):
        give(number, command)
        await asyncio.sleep(0)
    written = await listing
    assert [one["member"] for one in written] == ["MA", "MB", "MC"]
    assert written[-1] == write_member(view, "MC")
    assert [one["account"] for one in written[-1]["accounts"]] == ["c", "late"]
    assert written[-1]["used"]["open_orders"] == 1


async def test_whose_limits_a_key_may_read(desk: Desk) -> None:
    async with connect(desk.server.url) as public:
        with pytest.raises(ExchangeError) as refused:
            await public.call("session.limits")
        assert refused.value.reason == "NOT_PERMITTED"
    async with connect(desk.server.url, desk.services.keys["FIRM-B"]) as client:
        assert (await client.limits())["member"] == "FIRM-B"
        with pytest.raises(ExchangeError):
            await client.call("session.limits", member="FIRM-A")
    async with connect(desk.server.url, desk.services.keys["op"]) as operator:
        assert (await operator.call("session.limits", member="FIRM-A"))["member"] == "FIRM-A"
        with pytest.raises(ExchangeError) as unknown:
            await operator.call("session.limits", member="FIRM-X")
        assert unknown.value.reason == "UNKNOWN_MEMBER"
    for path in ("/v1/limits", "/v1/limits/FIRM-A"):
        assert (await get(desk, path, "FIRM-A")).status_code == 403
    assert (await get(desk, "/v1/limits/FIRM-X")).status_code == 409


async def test_an_operator_sets_and_sees_limits_by_command(desk: Desk, tmp_path: Path) -> None:
    key = tmp_path / "op.pem"
    desk.services.keys["op"].save(key)

    async def goldx(*words: str) -> Any:
        more = ["--key", str(key), "--url", desk.server.url]
        made = await asyncio.to_thread(CliRunner().invoke, main, ["limits", *words, *more])
        assert made.exit_code == 0, made.output
        return json.loads(made.output.splitlines()[-1]) if words[0] != "show" else json.loads(made.output)

    subject = ("set", "FIRM-B", "--account", desk.b, "--reason", "a new member")
    changed = await goldx(*subject, "--open-orders", "3", "--order-value", "60000")
    assert (changed["event"], changed["account"], changed["reason"]) == ("limits.changed", desk.b, "a new member")
    changed = await goldx(*subject, "--open-orders", "2", "--net-sales", "0.5")
    given = {"max_order_value": "60000.00", "max_open_orders": 2, "max_net_sales": "0.5"}
    assert of_account(await goldx("show", "FIRM-B"), desk.b)["limits"] == given, "what is not given keeps its value"
    proposed = await goldx(*subject, "--open-orders", "none")
    assert (proposed["event"], proposed.get("max_open_orders")) == ("limits.proposed", None)
    assert of_account(await goldx("list"), desk.b)["limits"] == given
    assert of_account(await goldx("list", "--after", "FIRM-AA", "--limit", "1"), desk.b)["limits"] == given
    wrong = ["limits", "set", "FIRM-B", "--reason", "x", "--open-orders", "many", "--key", str(key)]
    made = await asyncio.to_thread(CliRunner().invoke, main, [*wrong, "--url", desk.server.url])
    assert made.exit_code != 0
    assert "max_open_orders" in made.output


def test_the_listing_by_command_is_read_in_pages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["M1", "M2", "M3", "M4", "M5"]

    def read(path: str, *_: object) -> dict[str, Any]:
        asked = parse_qs(urlsplit(path).query)
        following = [name for name in names if name > asked.get("after", [""])[0]]
        part = following[: int(asked["limit"][0])]
        return {"members": [{"member": name} for name in part], "next": part[-1] if part != following else None}

    monkeypatch.setattr(limits_command, "_read", read)
    monkeypatch.setattr(limits_command, "MOST_ROWS", 2)
    key = tmp_path / "key.pem"
    key.touch()

    def listed(*words: str) -> list[str]:
        made = CliRunner().invoke(main, ["limits", "list", "--key", str(key), *words])
        assert made.exit_code == 0, made.output
        return made.output.splitlines()

    lines = [json.dumps({"member": name}) for name in names]
    assert listed() == lines
    assert listed("--limit", "3") == [*lines[:3], "more follow: --after M3"]
    assert listed("--limit", "3", "--after", "M2") == lines[2:]


def test_an_account_that_is_opened_after_the_limits_counts_too() -> None:
    engine, view = Engine(), View()
    sent: list[AnyCommand] = [commands.InstrumentDefine("AU"), commands.AccountOpen("b", "MB")]
    sent += [commands.AccountOpen("a", "MA"), LimitsSet("MA", "a limit", max_open_orders=9)]
    sent.append(commands.AccountOpen("late", "MA"))
    sent += [commands.HoldingAdjust("late", "CNY", 10**9, "cash"), commands.HoldingAdjust("b", "AU", 10**6, "gold")]
    sent.append(commands.MarketSetPhase("AU", terms.CONTINUOUS))
    sent.append(commands.OrderPlace("b", "s", "AU", terms.SELL, terms.LIMIT, 1_000, 60_000))
    sent.append(commands.OrderPlace("late", "b", "AU", terms.BUY, terms.LIMIT, 1_000, 60_000))
    for number, command in enumerate(sent, 1):
        view.apply(EventFrame((1, number), (tuple(apply(engine, 1, command)),)), lambda *_: ())
    assert check_figures(engine, view) == 2
    assert used(view, view.requests.count_quotes(), ["a", "late"]) == (0, 60_000, -1_000)
