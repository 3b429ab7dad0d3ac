"""docker-compose.yml starts commands that exist, with settings that exist, and checks the health of each service."""

import re
import shutil
import socket
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from goldx.__main__ import SUPPORTED
from goldx.cli import main
from goldx.hosting.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = msgspec.yaml.decode((ROOT / "docker-compose.yml").read_bytes())
OURS = sorted(name for name, service in COMPOSE["services"].items() if "build" in service)


def test_every_service_has_a_container_and_the_engine_a_standby() -> None:
    assert sorted([*(entry.name for entry in entry_points(group="goldx.health")), "standby"]) == OURS
    assert COMPOSE["services"]["standby"]["command"] == ["engine", "--standby"]


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists_with_settings_that_exist(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = COMPOSE["services"][name]
    command = service["command"][0]
    assert name in (command, "standby")
    assert CliRunner().invoke(main, [*service["command"], "--help"]).exit_code == 0
    assert service["healthcheck"]["test"] == ["CMD", "goldx", "health", command]
    for variable, value in service["environment"].items():
        assert variable.startswith("GOLDX_")
        monkeypatch.setenv(variable, value.split("${")[0] + "secret@postgres:5432/goldx" if "${" in value else value)
    settings = Settings()
    assert settings.model_fields_set >= {v.removeprefix("GOLDX_").lower() for v in service["environment"]}


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


def test_valkey_syncs_its_file_before_it_acknowledges() -> None:
    command = " ".join(COMPOSE["services"]["valkey"]["command"])
    assert "--appendonly yes --appendfsync always" in command


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
