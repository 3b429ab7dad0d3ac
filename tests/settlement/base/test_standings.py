"""Members, staff and keys: suspended, taken up again and ended, in the register and by the commands typed."""

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from goldx.client.keys import Key
from goldx.client.new_key import request_of
from goldx.protocol.units import BadValue
from goldx.streams.standings import Notice, publish_notice, read_notices
from settlement.base import audit, database, registry, standings
from settlement.base.key_reader import KeyReader
from settlement.base.refusal import Refused
from settlement.documents.registered import STANDINGS
from settlement.service.standings import Standings, write_late
from tests.registered import find_principal
from tests.settlement.base.register import Register
from tests.settlement.commands import clerk, goldx


@pytest.mark.parametrize("kind", STANDINGS)
async def test_a_key_is_used_while_it_and_its_holder_are_active(register: Register, kind: str) -> None:
    """And every step is refused from every other status, by its name."""
    code, key_id = {"member": ("M1", "M1.key"), "staff": ("op-1", "op-1"), "key": ("M1.key", "M1.key")}[kind]
    ending = "revoke" if kind == "key" else "end"

    async def refused(*steps: str) -> None:
        for step in steps:
            with pytest.raises(Refused, match=f"{kind} {code} is .*; to {step} it must be "):
                await register.desk.take(step, kind, code, "host:root", "case-17")

    assert await find_principal(register.engine, key_id) is not None
    await refused("resume")
    await register.desk.take("suspend", kind, code, "host:root", "case-17")
    assert await find_principal(register.engine, key_id) is None
    await refused("suspend")
    await register.desk.take("resume", kind, code, "host:root", "case-17 is closed")
    assert await find_principal(register.engine, key_id) is not None
    assert await read_notices(register.redis, register.keys) == {}
    await register.desk.take(ending, kind, code, "host:root", "has left")
    assert await find_principal(register.engine, key_id) is None
    await refused("suspend", "resume", ending)
    assert await register.differences() == []
    async with register.engine.connect() as connection:
        changes = await standings.changes(connection, kind, code)
        acts = [row for row in await audit.listing(connection) if row.actor == "host:root"]
    assert [(row.status, row.changed_by, row.reason) for row in changes] == [
        ("SUSPENDED", "host:root", "case-17"),
        ("ACTIVE", "host:root", "case-17 is closed"),
        ("ENDED", "host:root", "has left"),
    ]
    assert [row.action for row in acts] == [f"{kind}.suspend", f"{kind}.resume", f"{kind}.{ending}"]
    assert all(row.subject == code and "reason" in row.detail for row in acts)


async def test_over_rest_another_person_takes_up_again_and_ends(register: Register) -> None:
    with pytest.raises(Refused, match="suspended first") as refused:
        await register.rest("end", "member", "M1", "op-1")
    assert refused.value.reason == "TWO_PEOPLE"
    await register.rest("suspend", "member", "M1", "op-1")
    for step in ("resume", "end"):
        with pytest.raises(Refused, match="suspended by op-1") as refused:
            await register.rest(step, "member", "M1", "op-1")
        assert refused.value.reason == "SAME_PERSON"
    assert await register.rest("resume", "member", "M1", "op-2") == "ACTIVE"
    await register.rest("suspend", "member", "M1", "op-2")
    assert await register.rest("end", "member", "M1", "op-1") == "ENDED"
    assert await register.rest("revoke", "key", "op-2", "op-1") == "ENDED"


async def test_what_is_unknown_or_has_no_reason_is_refused(register: Register) -> None:
    for kind, field in (("member", "member"), ("staff", "staff"), ("key", "key_id")):
        for step in ("suspend", "resume"):
            with pytest.raises(BadValue, match=f'{field}: "nobody"'):
                await register.desk.take(step, kind, "nobody", "op-1", "case-17")
    for reason in ("", "x" * 201, "two\nlines"):
        with pytest.raises(BadValue, match="reason"):
            await register.desk.take("suspend", "member", "M1", "op-1", reason)
    assert await read_notices(register.redis, register.keys) == {}


async def test_a_notice_is_written_once_and_a_late_one_ends_no_end(register: Register) -> None:
    first = standings.new_notice("suspend", "key", "M1.key", "op-1", "case-17")
    last = standings.new_notice("revoke", "key", "M1.key", "op-1", "lost")
    for notice in (first, last, first._replace(change_id="late"), first, last):
        await write_late(register.engine, notice)
    await write_late(register.engine, first._replace(change_id="stranger", code="nobody"))
    async with register.engine.connect() as connection:
        assert await standings.status_of(connection, "key", "M1.key") == "ENDED"
        assert len(await standings.changes(connection, "key", "M1.key")) == 3
    assert await register.differences() == []


async def test_taking_up_again_first_writes_what_only_the_gateways_know(register: Register) -> None:
    """Else a gateway would write the suspension later, and suspend again."""
    notice = standings.new_notice("suspend", "member", "M1", "op-1", "case-17")
    other = standings.new_notice("suspend", "key", "M1.key", "op-1", "case-18")
    for published in (notice, other):
        await publish_notice(register.redis, register.keys, published)
    assert await register.rest("resume", "member", "M1", "op-2") == "ACTIVE"
    await write_late(register.engine, notice)
    async with register.engine.connect() as connection:
        assert await standings.status_of(connection, "member", "M1") == "ACTIVE"
    assert list((await read_notices(register.redis, register.keys)).values()) == [other]


async def test_a_holder_who_is_suspended_gets_no_key_and_does_nothing(register: Register) -> None:
    await register.desk.take("suspend", "member", "M1", "op-1", "case-17")
    await register.desk.take("suspend", "staff", "op-2", "op-1", "on leave")
    public = Key.generate("new").public_bytes
    async with register.engine.begin() as connection:
        for holder, may in (({"member_code": "M1"}, ["trade"]), ({"staff_code": "op-2"}, ["operate"])):
            with pytest.raises(Refused, match="is SUSPENDED") as refused:
                await registry.add_key(connection, "test", "new", public, **holder, permissions=may)
            assert refused.value.reason == "NOT_ACTIVE"
    assert "M1 is SUSPENDED" in str(await registry.why_no_account(register.engine, "M1"))
    assert "M9 is not registered" in str(await registry.why_no_account(register.engine, "M9"))


async def test_a_reader_tells_who_stopped_which_members(register: Register, migrated_url: str) -> None:
    reader = KeyReader(migrated_url)
    known = await reader.read()
    assert known is not None
    assert known.stopped == {}
    assert await reader.read() is None
    await register.desk.take("suspend", "member", "M1", "op-1", "case-17")
    known = await reader.read()
    assert known is not None
    assert known.stopped == {"M1": "op-1"}
    assert sorted(known.principals) == ["op-1", "op-2"]
    reader.close()


async def test_the_history_of_standings_cannot_be_changed(register: Register) -> None:
    await register.desk.take("suspend", "member", "M1", "op-1", "case-17")
    async with register.engine.connect() as connection:
        with pytest.raises(Exception, match="append-only"):
            await connection.execute(text("DELETE FROM standing_change"))


@pytest.mark.usefixtures("configured_database", "register")
async def test_the_commands(valkey_url: str, shard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", valkey_url)
    monkeypatch.setenv("GOLDX_SHARD", shard)
    key = Key.generate("M1.algo")
    Path("m1.txt").write_text(request_of(key, "M1"))
    public = key.public_bytes.hex()
    assert (
        "the one that the request names: M1"
        in (await goldx("key", "add", "m1.txt", "--staff", "op-1", "--permissions", "operate", code=1)).output
    )
    assert "M1.algo" in (await goldx("key", "add", "m1.txt", "--member", "M1", "--key-id", "other", code=1)).output
    assert "not allowed" in (await goldx("key", "add", "00" * 32, "--member", "M1", code=2)).output
    assert "the code of a member" in (await goldx("key", "add", public, "--member", "M9", code=1)).output
    added = (await goldx("key", "add", "m1.txt", "--member", "M1")).output
    assert added == f"key M1.algo is registered for M1; its public half is {public}\n"
    assert "it is M1.algo of M1" in (await goldx("key", "add", public, "--member", "M1", code=1)).output
    assert (
        "M1.key-1 is registered"
        in (await goldx("key", "add", Key.generate("x").public_bytes.hex(), "--member", "M1")).output
    )
    await goldx("member", "suspend", "M1", code=2)
    assert (await goldx("member", "suspend", "M1", "--reason", "case-17")).output == "member M1 is suspended\n"
    shown = json.loads((await goldx("member", "show", "M1", "--json")).output)
    named = {name: shown[name] for name in ("member", "name", "name_zh", "status", "reason")}
    assert named == {"member": "M1", "name": "Member one", "name_zh": "", "status": "SUSPENDED", "reason": "case-17"}
    assert re.fullmatch(r"\S+ \S+ UTC host:\S+", f"{shown['since']} {shown['by']}")
    assert [key["key"] for key in shown["keys"]] == ["M1.algo", "M1.key", "M1.key-1"]
    assert shown["changes"][0]["status"] == "SUSPENDED"
    assert "changes:\nat\tstatus\tby\treason\n" in (await goldx("member", "show", "M1")).output
    assert (
        "M1 is SUSPENDED; to suspend it must be ACTIVE"
        in (await goldx("member", "suspend", "M1", "--reason", "again", code=1)).output
    )
    assert (await goldx("member", "list", "--status", "ACTIVE")).output.count("\n") == 1, "the headings"
    assert (await goldx("member", "resume", "M1", "--reason", "closed")).output == "member M1 is in use again\n"
    assert (await goldx("key", "revoke", "M1.algo", "--reason", "lost")).output == "key M1.algo is revoked\n"
    assert f"public_half\t{public}" in (await goldx("key", "show", "M1.algo")).output
    assert (
        (await goldx("key", "list", "--status", "ENDED"))
        .output.splitlines()[1]
        .startswith("M1.algo\tM1\ttrade\tENDED\t")
    )
    assert (await goldx("staff", "end", "op-2", "--reason", "has left")).output == "staff op-2 is ended\n"
    assert (await goldx("staff", "list")).output.count("ENDED") == 1
    assert "staff op-2 is ENDED" in await clerk("op-2", "lots", code=1)


async def test_a_notice_that_was_published_is_read_as_it_was(register: Register) -> None:
    notice = Notice("1", "staff", "op-1", "SUSPENDED", "op-2", "为何", 17)
    await publish_notice(register.redis, register.keys, notice)
    assert await read_notices(register.redis, register.keys) == {"1": notice}


async def test_a_database_that_goes_away_after_the_check_learns_it_later(register: Register, migrated_url: str) -> None:
    away = database.connect("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    desk = Standings(migrated_url, away, register.redis, register.keys)
    taken = await desk.take("suspend", "key", "M1.key", "op-1", "lost")
    await away.dispose()
    assert (taken.status, taken.registered, taken.noticed) == ("SUSPENDED", False, True)
    (notice,) = (await read_notices(register.redis, register.keys)).values()
    assert await find_principal(register.engine, "M1.key") is not None
    await write_late(register.engine, notice)
    assert await find_principal(register.engine, "M1.key") is None
