"""Members, staff and keys, the audit log, and databases that are too new."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.client.keys import Key
from goldx.protocol.units import BadValue
from settlement.base import audit, database, registry, standings
from settlement.base.refusal import Refused
from tests.registered import find_principal


async def test_a_key_speaks_for_its_holder_until_it_is_revoked(engine: AsyncEngine) -> None:
    key, staff_key = Key.generate("M1.algo"), Key.generate("ops")
    async with engine.begin() as connection:
        await registry.add_member(connection, "test", "M1", "Member one", "会员一")
        await registry.add_staff(connection, "test", "op", "Operator", ["operate", "supervise"])
        await registry.add_key(connection, "test", "M1.algo", key.public_bytes, member_code="M1")
        await registry.add_key(
            connection, "test", "ops", staff_key.public_bytes, staff_code="op", permissions=["operate"]
        )
    assert await find_principal(engine, "M1.algo") == registry.Principal(
        "M1.algo", key.public_bytes, "M1", None, frozenset(("trade",))
    )
    assert await find_principal(engine, "ops") == registry.Principal(
        "ops", staff_key.public_bytes, None, "op", frozenset(("operate",))
    )
    async with engine.begin() as connection:
        await standings.write(connection, standings.new_notice("revoke", "key", "M1.algo", "test", "lost"))
    assert await find_principal(engine, "M1.algo") is None
    assert await find_principal(engine, "nobody") is None


async def test_what_the_registry_refuses(engine: AsyncEngine) -> None:
    known, other = Key.generate("k").public_bytes, Key.generate("j").public_bytes
    async with engine.begin() as connection:
        await registry.add_member(connection, "test", "M1", "Member one")
        await registry.add_staff(connection, "test", "op", "Operator", ["operate"])
        await registry.add_key(connection, "test", "k", known, member_code="M1")
    refusals: tuple[tuple[str, Callable[[AsyncConnection], Awaitable[object]]], ...] = (
        ("member", lambda c: registry.add_member(c, "test", "M1", "Again")),
        ("member", lambda c: registry.add_member(c, "test", "M 1", "Bad code")),
        ("name", lambda c: registry.add_member(c, "test", "M2", "")),
        ("permissions", lambda c: registry.add_staff(c, "test", "s", "S", ["trade"])),
        ("permissions", lambda c: registry.add_key(c, "test", "j", other, member_code="M1", permissions=["settle"])),
        ("permissions", lambda c: registry.add_key(c, "test", "j", other, staff_code="op", permissions=["settle"])),
        ("holder", lambda c: registry.add_key(c, "test", "j", other)),
        ("member", lambda c: registry.add_key(c, "test", "j", other, member_code="M9")),
        ("key_id", lambda c: registry.add_key(c, "test", "k", other, member_code="M1")),
        ("public_key", lambda c: registry.add_key(c, "test", "j", known, member_code="M1")),
        ("public_key", lambda c: registry.add_key(c, "test", "j", other[:31], member_code="M1")),
        ("key_id", lambda c: standings.write(c, standings.new_notice("revoke", "key", "j", "test", "lost"))),
    )
    for field, act in refusals:
        with pytest.raises(BadValue) as bad:
            async with engine.begin() as connection:
                await act(connection)
        assert bad.value.field == field


@pytest.mark.parametrize(
    ("tamper", "number"),
    [
        ("UPDATE audit_log SET detail = '9' WHERE number = 3", 3),
        ("UPDATE audit_log SET hash = sha256('x') WHERE number = 2", 2),
        ("DELETE FROM audit_log WHERE number = 4", 4),
        ("DELETE FROM audit_log WHERE number = 5", 5),
    ],
)
async def test_the_audit_chain_shows_any_change(engine: AsyncEngine, tamper: str, number: int) -> None:
    async with engine.begin() as connection:
        await audit.record_all(connection, [audit.Act("test", "act", f"thing:{n}", n) for n in range(5)])
        noted = await audit.verify(connection)
        assert noted.number == 5
        await audit.record(connection, audit.Act("test", "act", "one more"))
        assert (await audit.verify(connection, noted)).number == 6
        await connection.execute(text("DROP TRIGGER append_only ON audit_log"))
        await connection.execute(text("DELETE FROM audit_log WHERE number = 6"))
        await connection.execute(text(tamper))
        with pytest.raises(audit.BrokenChain) as broken:
            await audit.verify(connection, noted)
        assert broken.value.number == number


async def test_an_older_program_refuses_a_newer_database(migrated_url: str, engine: AsyncEngine) -> None:
    await database.migrate(migrated_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused, match=r"at migration 9999, .* knows none after \d{4}: .*backup") as refused:
        await database.migrate(migrated_url)
    assert refused.value.reason == "NEWER_DATABASE"
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
