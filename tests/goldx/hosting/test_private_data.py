"""Only the user who runs the exchange can read its data, and no run file, argument or log contains secrets."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from goldx.hosting.errors import NotRunning
from goldx.hosting.passwords import without_password
from goldx.hosting.running import resolve_database_url
from goldx.hosting.servers import Server
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from tests.private_files import open_to_others

SECRET = "s3cret-of-the-database"

LOGGING = """
import asyncio, sys
import structlog
from sqlalchemy import text
from goldx.hosting import logging
from settlement.base.database import connect

async def main():
    engine = connect(sys.argv[1])
    for statement, value in (
        ("INSERT INTO paper VALUES (:value)", "110101199003070000"),
        ("SELECT CAST(:value AS int)", "110101199003070000"),
    ):
        try:
            async with engine.begin() as connection:
                await connection.execute(text("CREATE TEMP TABLE paper (value text CHECK (value = ''))"))
                await connection.execute(text(statement), {"value": value})
        except Exception as error:
            structlog.get_logger().error("refused", error=str(error), exc_info=True)
            __import__("logging").getLogger("library").exception("of a library")
    await engine.dispose()

logging.configure("test")
structlog.get_logger().info("connects", url=sys.argv[1])
structlog.get_logger().info("connects", url="redis+sentinel://a:PW1@h/s?db=0&sentinel_password=PW2")
asyncio.run(main())
"""


USUAL = "import os, sys; os.umask(0o022); from goldx.cli import main; main(sys.argv[1:], prog_name='goldx')"
"""The program ``goldx`` on a system on which new files are readable by all."""


@pytest.mark.campaign
async def test_what_serve_writes_is_for_its_user_alone(folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    data.chmod(0o755)
    environment = os.environ | {"GOLDX_DATA_DIR": str(data), "GOLDX_ARCHIVE_DIR": str(folder / "archive")}
    environment |= {"GOLDX_GATEWAY_PORT": "0", "GOLDX_CONSOLE_PORT": "0"}
    start = [sys.executable, "-c", USUAL, "serve"]
    pipe = subprocess.PIPE
    serve = await asyncio.create_subprocess_exec(*start, env=environment, stdout=pipe, stderr=pipe)
    assert serve.stdout is not None
    shown = b""
    while not (line := await serve.stdout.readline()).startswith(b"READY serve"):
        assert line, "serve ended before it was ready"
        shown += line
    exports = folder / "exports"
    exports.mkdir(mode=0o700)
    for words in (
        ["archive"],
        ["export", "--out", str(exports / "journal.jsonl")],
        ["events", "--out", str(exports / "events.jsonl")],
    ):
        typed = [sys.executable, "-c", USUAL, "journal", *words]
        command = await asyncio.create_subprocess_exec(*typed, env=environment, stdout=subprocess.PIPE)
        await command.communicate()
    serve.terminate()
    shown += line + b"".join(await serve.communicate())
    assert b"valkey is ready" in shown
    assert (data / "secrets/valkey").read_bytes() not in shown
    assert {"valkey", "postgres", "log", "run"} <= {path.name for path in data.iterdir()}
    assert open_to_others((data, *data.rglob("*"))) == {}
    assert any((folder / "archive").iterdir())
    assert open_to_others((folder / "archive").rglob("*")) == {}
    assert len(list(exports.iterdir())) == 2
    assert open_to_others(exports.iterdir()) == {}


async def test_no_log_of_postgres_has_the_values_of_rows(servers: tuple[Server, Server]) -> None:
    """A row is refused for a value that a clerk typed; the server's log says so, and does not show the value."""
    _, postgres = servers
    log = Path(f"/proc/{postgres.pid}/fd/2").resolve()
    url, value = make_url(postgres.url), "110101199003070011"
    connection = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    await connection.execute(
        "CREATE TEMP TABLE seller (number text PRIMARY KEY, age int CONSTRAINT grown CHECK (age > 17))"
    )
    await connection.execute("INSERT INTO seller VALUES ($1, 20)", value)
    for age, error in ((20, asyncpg.UniqueViolationError), (3, asyncpg.CheckViolationError)):
        with pytest.raises(error) as refused:
            await connection.execute("INSERT INTO seller VALUES ($1, $2)", value, age)
        assert value in str(refused.value.as_dict()["detail"]), "what the log would have"
    await connection.close()
    logged = log.read_text(errors="replace")
    assert "seller_pkey" in logged
    assert '"grown"' in logged
    assert value not in logged


async def test_a_password_of_the_settings_is_in_no_run_file_and_no_argument(folder: Path, postgres_url: str) -> None:
    url = make_url(postgres_url).set(password=SECRET).render_as_string(hide_password=False)
    settings = Settings(data_dir=folder / "data", database_url=url)
    async with Supervisor(settings, services=()) as supervisor:
        assert supervisor.database_url == url
        for file in (folder / "data/run").iterdir():
            assert SECRET not in file.read_text()
        assert json.loads((folder / "data/run/services.json").read_text())["database_url"] is None
        for pid in [server.pid for server in supervisor.services.values()]:
            assert SECRET not in Path(f"/proc/{pid}/cmdline").read_text()
        with pytest.raises(NotRunning, match="is only in its own settings: set GOLDX_DATABASE_URL here too"):
            resolve_database_url(Settings(data_dir=folder / "data"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("unix://:secret@/run/valkey.sock", "unix:///run/valkey.sock"),
        ("postgresql+asyncpg://goldx:secret@/goldx?host=/run", "postgresql+asyncpg://goldx@/goldx?host=/run"),
        ("postgresql+asyncpg://goldx@/goldx?host=/run", "postgresql+asyncpg://goldx@/goldx?host=/run"),
        ("http://127.0.0.1:8600", "http://127.0.0.1:8600"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.campaign
async def test_the_console_has_neither_urls_nor_passwords_of_the_servers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its own settings nor what ``serve`` was started with; the gateway, which needs them, has them."""
    monkeypatch.setenv("GOLDX_DATABASE_OWNER_URL", f"postgresql+asyncpg://owner:{SECRET}@127.0.0.1/x")
    settings = Settings(data_dir=folder / "data", gateway_port=0, console_port=0)
    async with Supervisor(settings, services=("engine", "settlement", "gateway", "console")) as supervisor:
        held = {
            name: Path(f"/proc/{supervisor.services[name].pid}/environ").read_text() for name in ("console", "gateway")
        }
        secret = (folder / "data/secrets/valkey").read_text().strip()
        assert secret in held["gateway"]
        assert supervisor.database_url in held["gateway"]
        for text in (secret, SECRET, supervisor.database_url, "GOLDX_REDIS_URL", "GOLDX_DATABASE"):
            assert text not in held["console"]
        assert f"GOLDX_GATEWAY_URL={supervisor.gateway_url}" in held["console"]


def test_passwords_and_the_values_of_sql_are_not_logged(database_url: str) -> None:
    url = make_url(database_url).set(password=SECRET).render_as_string(hide_password=False)
    written = subprocess.run(
        [sys.executable, "-c", LOGGING, url], capture_output=True, text=True, check=True, timeout=120
    ).stderr
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["event"] for line in lines].count("refused") == 2
    assert "violates check constraint" in written
    for secret in (SECRET, "110101199003070000", "PW1", "PW2"):
        assert secret not in written
