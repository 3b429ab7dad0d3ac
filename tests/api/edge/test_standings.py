"""Members, staff and keys that are suspended or ended: at the gateways sessions end and orders are cancelled."""

import asyncio
from typing import Any

import pytest

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.new_key import request_of
from goldx.client.session import ExchangeClient, connect
from settlement.base import database, registry, standings
from tests.api.conftest import Desk, until
from tests.api.edge.frozen import Venue, frozen
from tests.api.edge.test_key_register import ask_on
from tests.http_client import http_client
from tests.registered import find_principal


async def ask(desk: Desk, who: str, method: str, path: str, status: int = 200, **body: str) -> Any:
    """Ask a gateway for a path under ``/v1/settlement`` in the name of one of the staff."""
    headers = {"Authorization": f"Bearer {desk.services.keys[who].bearer_token()}"}
    async with http_client(desk.server.url, timeout=30) as http:
        answer = await http.request(method, f"/v1/settlement{path}", headers=headers, json=body or None)
    assert answer.status_code == status, answer.text
    return answer.json()


async def beat_on(session: ExchangeClient) -> None:
    """Send heartbeats until the connection ends."""
    while True:
        await session.call("session.heartbeat")


async def test_a_member_is_suspended_while_the_database_is_frozen_and_taken_up_again(venue: Venue) -> None:
    """Its orders go, also those that outlive their session; another member's stay."""
    services, desk = venue.services, venue.desk
    await services.add_operator("op-2")
    async with services.member(desk.server, "FIRM-B") as other, asyncio.timeout(60):
        await other.place(desk.b, desk.symbol, "buy", price="400.00", quantity="1")
        member = services.member(desk.server)
        await member.__aenter__()
        await member.place(desk.a, desk.symbol, "buy", price="500.00", quantity="1", client_order_id="resting")
        await member.place(desk.a, desk.symbol, "buy", price="501.00", quantity="1", persist=True)
        live = desk.server.gateway.view.accounts[desk.a].live
        assert len(live) == 2
        with frozen(venue.postgres):
            await until(lambda: desk.server.gateway.register.away)
            refused = await ask(desk, "op", "POST", "/members/FIRM-A/end", 503, reason="case-17")
            assert refused["reason"] == "UNAVAILABLE"
            taken = await ask(desk, "op", "POST", "/members/FIRM-A/suspend", reason="case-17")
            assert (taken["status"], taken["registered"], taken["noticed"]) == ("SUSPENDED", False, True)
            with pytest.raises(ConnectionLost):
                await ask_on(member, desk.a)
            await until(lambda: not live)
            with pytest.raises(ExchangeError, match="NOT_PERMITTED"):
                await services.member(desk.server).__aenter__()
            await other.holdings(desk.b)
        await member.__aexit__(None, None, None)
        assert len(desk.server.gateway.view.accounts[desk.b].live) == 1
        await until(lambda: not desk.server.gateway.register.away)
        engine = database.connect(services.database_url)
        while await find_principal(engine, "FIRM-A.key") is not None:
            await asyncio.sleep(0.05)
        await engine.dispose()
        shown = await ask(desk, "op", "GET", "/members/FIRM-A")
        assert [(row["status"], row["changed_by"], row["reason"]) for row in shown["changes"]] == [
            ("SUSPENDED", "op", "case-17")
        ]
        assert (await ask(desk, "op", "POST", "/members/FIRM-A/resume", 409, reason="x"))["reason"] == "SAME_PERSON"
        await ask(desk, "op-2", "POST", "/members/FIRM-A/resume", reason="case-17 is closed")
        register = desk.server.gateway.register
        await until(lambda: register.find("FIRM-A.key") is not None)
        async with services.member(desk.server) as again:
            assert (await again.place(desk.a, desk.symbol, "buy", price="500.00", quantity="1"))["order"]
        assert register.stopped_members() == {}


async def test_one_of_the_staff_is_suspended_while_the_database_is_frozen(venue: Venue) -> None:
    """A typed command ends the session and the token of a suspended person."""
    services, desk = venue.services, venue.desk
    await services.add_operator("op-2")
    session = services.member(desk.server, "op-2")
    await session.__aenter__()
    with frozen(venue.postgres):
        await until(lambda: desk.server.gateway.register.away)
        printed = await venue.type("staff", "suspend", "op-2", "--reason", "on leave")
        assert "staff op-2 is suspended at the gateways" in printed
        async with asyncio.timeout(30):
            with pytest.raises(ConnectionLost):
                await beat_on(session)
        await session.__aexit__(None, None, None)
        body = {"method": "market.set_phase", "params": {"symbol": desk.symbol, "phase": "halted", "reason": "x"}}
        headers = {"Authorization": f"Bearer {services.keys['op-2'].bearer_token()}"}
        async with http_client(desk.server.url, timeout=30) as http:
            answer = await http.post("/v1/operator/commands", json=body, headers=headers)
        assert answer.status_code == 401, answer.text
        printed = await venue.type("staff", "resume", "op-2", "--reason", "is back", code=1)
        assert "register of keys is not reachable" in printed


async def test_a_members_own_key_is_registered_over_rest_by_two_people(desk: Desk) -> None:
    services = desk.services
    for name in ("op-3", "op-4"):
        if name not in services.keys:
            await services.add_operator(name)
    key = Key.generate(f"FIRM-A.own-{desk.symbol}")
    request = request_of(key, "FIRM-A")
    wrong = await ask(desk, "op-3", "POST", "/keys", 422, member="FIRM-B", public_key=request, reason="asked for")
    assert wrong["field"] == "holder"
    await ask(desk, "FIRM-A", "POST", "/keys", 403, member="FIRM-A", public_key=request, reason="asked for")
    added = await ask(desk, "op-3", "POST", "/keys", member="FIRM-A", public_key=request, reason="asked for")
    assert (added["key_id"], added["status"], added["public_key"]) == (key.key_id, "SUSPENDED", key.public_bytes.hex())
    with pytest.raises(ExchangeError, match="NOT_PERMITTED"):
        await connect(desk.server.url, key).__aenter__()
    path = f"/keys/{key.key_id}"
    assert (await ask(desk, "op-3", "POST", f"{path}/resume", 409, reason="x"))["reason"] == "SAME_PERSON"
    await ask(desk, "op-4", "POST", f"{path}/resume", reason="called back")
    async with connect(desk.server.url, key) as member:
        assert member.identity["member"] == "FIRM-A"
        await ask(desk, "op-3", "POST", f"{path}/revoke", reason="lost")
        async with asyncio.timeout(30):
            with pytest.raises(ConnectionLost):
                await ask_on(member, desk.a)
    rows = (await ask(desk, "op-3", "GET", "/keys?member=FIRM-A&status=ENDED"))["keys"]
    assert key.key_id in [row["key_id"] for row in rows]


async def test_the_orders_of_a_suspended_key_end_whatever_their_settings(desk: Desk) -> None:
    """Those with `persist`, and those of a session that had asked to keep them; another key's stay."""
    services = desk.services
    key = Key.generate(f"FIRM-A.kept-{desk.symbol}")
    engine = database.connect(services.database_url)
    async with engine.begin() as connection:
        await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code="FIRM-A")
    await engine.dispose()
    async with connect(desk.server.url, key) as member:
        await member.call("session.cancel_on_disconnect", enabled=False)
        for price, persist in (("500.00", False), ("501.00", True)):
            await member.place(desk.a, desk.symbol, "buy", price=price, quantity="1", persist=persist)
    async with services.member(desk.server) as other:
        kept = await other.place(desk.a, desk.symbol, "buy", price="502.00", quantity="1", persist=True)
        live = desk.server.gateway.view.accounts[desk.a].live
        assert len(live) == 3
        await ask(desk, "op", "POST", f"/keys/{key.key_id}/suspend", reason="case-17")
        async with asyncio.timeout(30):
            await until(lambda: len(live) < 2)
        assert list(live) == [kept["order"]["order_id"]]
        await other.call("order.cancel", account=desk.a, order_id=kept["order"]["order_id"])


async def test_no_account_is_opened_for_a_member_that_is_suspended(own_desk: Desk) -> None:
    services, desk = own_desk.services, own_desk
    engine = database.connect(services.database_url)
    async with engine.begin() as connection:
        await standings.write(connection, standings.new_notice("suspend", "member", "FIRM-B", "op", "case-17"))
    await engine.dispose()
    answer = await services.ask_operator(desk.server, "account.open", {"account": "B.new", "member": "FIRM-B"})
    assert answer.status_code != 200
    assert "FIRM-B is SUSPENDED" in answer.json()["detail"]
