"""docker-compose.yml starts commands that exist, with settings that exist, and checks the health of each service."""

import asyncio
import os
import re
import shutil
import socket
import tempfile
from importlib.metadata import entry_points
from ipaddress import ip_address, ip_network
from itertools import repeat
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from click.testing import CliRunner
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from api.edge.connections import Connections
from goldx.__main__ import SUPPORTED
from goldx.cli import main
from goldx.hosting.settings import Settings
from goldx.hosting.valkey import valkey_binary
from goldx.retry import is_any_of, retry
from goldx.streams.redis_client import connect

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = msgspec.yaml.decode((ROOT / "docker-compose.yml").read_bytes())
OURS = sorted(name for name, service in COMPOSE["services"].items() if "build" in service)

NO_SERVICES = {"calendar"}
"""Names of health checks that are not about a service but about a file."""
ENDING = {"migration", "regime"}
"""Containers that prepare something and end."""


def test_every_service_has_a_container_and_the_engine_a_standby() -> None:
    checked = {entry.name for entry in entry_points(group="goldx.health")} - NO_SERVICES
    assert sorted(checked | ENDING) == OURS
    assert COMPOSE["services"]["standby"]["command"] == ["engine", "--standby"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists_with_settings_that_exist(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = COMPOSE["services"][name]
    command = service["command"][0]
    assert name in (command, "standby", "migration")
    assert CliRunner().invoke(main, [*service["command"], "--help"]).exit_code == 0
    if name not in ENDING:
        assert service["healthcheck"]["test"] == ["CMD", "goldx", "health", name]
    for variable, value in service["environment"].items():
        assert variable.startswith("GOLDX_")
        monkeypatch.setenv(variable, re.sub(r"\$\{.*?\}", "secret", value))
    settings = Settings()
    assert settings.model_fields_set >= {v.removeprefix("GOLDX_").lower() for v in service["environment"]}


def test_no_service_writes_to_the_journal_before_the_legal_regime_is_set() -> None:
    done = {"condition": "service_completed_successfully"}
    services = COMPOSE["services"]
    first = {name for name in OURS if services[name].get("depends_on", {}).get("regime") == done}
    later = {name for name in OURS if first & set(services[name].get("depends_on", {}))}
    # The archiver only reads the journal, and the console reaches no server.
    assert first | later == set(OURS) - ENDING - {"archiver", "console"}


def test_the_image_names_its_python_once_and_that_one_is_supported() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (version,) = re.findall(r"^ARG PYTHON=(.+)$", text, re.MULTILINE)
    assert version in SUPPORTED
    assert text.count(version) == 1
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"python:${PYTHON}-slim-bookworm"}


def test_the_published_ports_are_the_ones_the_services_listen_on() -> None:
    for name in ("gateway", "console"):
        service = COMPOSE["services"][name]
        port = service["environment"][f"GOLDX_{name.upper()}_PORT"]
        assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_no_log_of_postgres_has_the_values_of_rows(postgres_url: str) -> None:
    """Neither the container's nor that of the embedded server."""

    async def embedded() -> str:
        url = make_url(postgres_url)
        connection = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
        found: str = await connection.fetchval("SHOW log_error_verbosity")
        await connection.close()
        return found

    assert COMPOSE["services"]["postgres"]["command"] == ["postgres", "-c", "log_error_verbosity=terse"]
    assert asyncio.run(embedded()) == "terse"


async def test_valkey_asks_for_its_password_syncs_its_file_and_refuses_when_full(folder: Path) -> None:
    """The container's command, run unchanged with the embedded server's program."""
    (folder / "valkey-server").symlink_to(valkey_binary())
    command = [part.replace("$$", "$") for part in COMPOSE["services"]["valkey"]["command"]]
    command[-1] = command[-1].replace(
        "valkey-server -", f"valkey-server - --port 0 --unixsocket {folder}/s --dir {folder}"
    )
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "GOLDX_REDIS_PASSWORD": "of-this-test"}
    process = await asyncio.create_subprocess_exec(
        "setpriv", "--pdeathsig", "KILL", *command, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    client, stranger = connect(f"unix://:of-this-test@{folder}/s"), connect(f"unix://{folder}/s")
    async with asyncio.timeout(30):
        await retry(client.ping, is_any_of(RedisError, OSError), repeat(0.05))
    with pytest.raises(RedisError, match="HELLO must be called with the client already authenticated"):
        await stranger.ping()
    found = await client.config_get("appendonly", "appendfsync", "maxmemory", "maxmemory-policy", "save")
    assert found == {
        "appendonly": "yes", "appendfsync": "always", "maxmemory": str(2_500 << 20), "maxmemory-policy": "noeviction",
        "save": "",
    }  # fmt: skip
    assert "of-this-test" not in Path(f"/proc/{process.pid}/cmdline").read_text()
    await client.aclose()
    await stranger.aclose()
    process.terminate()
    assert await process.wait() == 0


def test_the_gateway_trusts_the_proxy_on_its_host_and_nobody_else() -> None:
    """A connection from the host to a published port has the address of the bridge; containers have others."""
    (network,) = COMPOSE["networks"]["outside"]["ipam"]["config"]
    trusted = COMPOSE["services"]["gateway"]["environment"]["GOLDX_TRUSTED_PROXIES"]
    assert trusted == network["gateway"]
    assert ip_address(trusted) in ip_network(network["subnet"])
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["gateway"]["ports"])
    connections = Connections(4, 1, [trusted])
    assert [connections.enter(trusted) for _ in range(3)] == [None] * 3
    other = str(ip_address(trusted) + 1)
    assert connections.enter(other) is None
    assert connections.enter(other) is not None


def test_only_who_needs_it_reaches_a_server_or_has_the_password_of_the_owner() -> None:
    services = COMPOSE["services"]
    assert not set(services["console"]["networks"]) & set(services["valkey"]["networks"])
    assert "GOLDX_REDIS_URL" not in services["console"]["environment"]
    has_owners = [name for name, service in services.items() if "OWNER_PASSWORD" in str(service.get("environment"))]
    assert sorted(has_owners) == ["migration", "postgres"]
    for name in ("settlement", "gateway", "engine", "standby", "archiver"):
        assert "//goldx_services:" in services[name]["environment"]["GOLDX_DATABASE_URL"]


def test_a_gateway_can_write_the_snapshots_of_its_view_and_begin_with_them_in_a_new_container() -> None:
    """They are in ``views`` of the data directory; the container's own files are read-only and do not outlive it."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    (data_dir,) = re.findall(r"GOLDX_DATA_DIR=(\S+)", dockerfile)
    gateway = COMPOSE["services"]["gateway"]
    mounted = dict(volume.split(":", 1) for volume in gateway["volumes"])
    assert gateway["read_only"]
    assert mounted["views"] == f"{data_dir}/views", "and not read-only"
    assert "views" in COMPOSE["volumes"]
    assert f"{data_dir}/views" in re.findall(r"install --directory --owner goldx .*", dockerfile)[0].split()


def test_health_names_the_service_when_the_server_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", f"unix://{tmp_path}/missing.sock")
    found = CliRunner().invoke(main, ["health", "engine"])
    assert found.exit_code == 1
    assert "engine" in found.output


def test_health_fails_when_no_answer_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    monkeypatch.setattr("goldx.hosting.health.TIMEOUT", 0.3)
    monkeypatch.setenv("GOLDX_REDIS_URL", f"unix://{folder}/silent.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{folder}/silent.sock")
        silent.listen()
        found = CliRunner().invoke(main, ["health", "engine"])
    shutil.rmtree(folder)
    assert found.exit_code == 1
    assert found.output == "Error: engine: no answer within 0.3 s\n"
