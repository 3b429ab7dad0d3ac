"""The services have no more rights on the servers than they need, and the servers ask for passwords."""

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import asyncpg
import pytest
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.streams import redis_client
from settlement.base import database, registry
from settlement.base.refusal import Refused

FORBIDDEN = (
    "SET session_replication_role = replica",
    "ALTER TABLE audit_log DISABLE TRIGGER append_only",
    "DROP TRIGGER append_only ON audit_log",
    "TRUNCATE audit_log",
    "INSERT INTO row_act VALUES (1, 1)",
    "UPDATE row_change SET digest = before",
    "DELETE FROM row_change",
    "DROP TABLE audit_log",
    "UPDATE alembic_version SET version_num = '9999'",
    "CREATE TABLE beside_the_others (n int)",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)


async def expect_least_rights(url: str) -> None:
    """Check that the role of a URL can do the services' work and cannot disable the protection of records."""
    engine = database.connect(url)
    async with engine.begin() as connection:
        await registry.add_member(connection, "test", "ALPHA", "Alpha")
        assert await connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")) is False
        owned = text("SELECT count(*) FROM pg_class JOIN pg_roles r ON relowner = r.oid WHERE r.rolname = current_user")
        assert await connection.scalar(owned) == 0
    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner|must be superuser"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    await engine.dispose()


@pytest.mark.campaign
async def test_embedded_services_own_no_table_and_valkey_asks_for_a_password(folder: Path) -> None:
    settings = Settings(data_dir=folder / "data", gateway_port=0, redis_memory_mb=64)
    async with Supervisor(settings, services=("engine", "settlement", "gateway")) as supervisor:
        await expect_least_rights(supervisor.database_url)
        assert str(supervisor.database_owner_url) not in supervisor.environment.values()

        written = json.loads((folder / "data/run/services.json").read_text())["redis_url"]
        stranger = redis_client.connect(written)
        with pytest.raises(RedisError, match="HELLO must be called with the client already authenticated"):
            await stranger.ping()
        await stranger.aclose()
        secret = (folder / "data/secrets/valkey").read_text()
        assert secret not in Path(f"/proc/{supervisor.services['valkey'].pid}/cmdline").read_text()

        client = redis_client.connect(resolve_redis_url(settings))
        large = {f"large{number}": b"x" * (1 << 20) for number in range(60)}
        for name, value in large.items():
            with contextlib.suppress(ResponseError):
                await client.set(name, value)
        with pytest.raises(ResponseError, match="used memory > 'maxmemory'"):
            await client.set("one more", b"x" * (8 << 20))
        assert await client.get("large0") is not None
        await client.aclose()


async def migrate(owner: str, services: str) -> tuple[int | None, str]:
    environment = os.environ | {"GOLDX_DATABASE_OWNER_URL": owner, "GOLDX_DATABASE_URL": services}
    command = (sys.executable, "-m", "goldx.cli", "settlement", "--migrate")
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=STDOUT)
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_an_outside_database_is_migrated_by_its_owner_alone(database_url: str) -> None:
    role = make_url(database_url).database
    services = make_url(database_url).set(username=f"services_of_{role}", password="of-this-test")
    url = services.render_as_string(hide_password=False)
    assert (await migrate(database_url, url)) == (0, "the database is migrated\n")
    assert (await migrate(database_url, url))[0] == 0
    try:
        await expect_least_rights(url)
        owner = database.connect(database_url)
        async with owner.begin() as connection:
            kept = await connection.scalar(
                text("SELECT rolpassword FROM pg_authid WHERE rolname = :name"), {"name": services.username}
            )
            assert str(kept).startswith("SCRAM-SHA-256$4096:")
            await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        await owner.dispose()
        with pytest.raises(Refused, match="run `goldx settlement --migrate` with database_owner_url"):
            await database.migrate(url)
    finally:
        admin = await asyncpg.connect(host=str(services.query["host"]), user="goldx", database=str(role))
        await admin.execute(f"DROP OWNED BY {services.username}")
        await admin.execute(f"DROP ROLE {services.username}")
        await admin.close()


async def test_a_superuser_is_not_taken_for_the_services(database_url: str) -> None:
    other = make_url(database_url).set(password="x").render_as_string(hide_password=False)
    code, printed = await migrate(database_url, other)
    assert (code, "a role that is no superuser and owns no table" in printed) == (1, True), printed
