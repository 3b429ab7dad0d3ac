"""Settings: wrong ones are named, and the documented table is the real one."""

import fcntl
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from goldx.cli import main
from goldx.hosting.errors import BadSettings, NotRunning
from goldx.hosting.running import resolve_redis_url, run_folder
from goldx.hosting.settings import Settings
from goldx.settings_command import markdown_table

pytestmark = pytest.mark.usefixtures("empty_working_folder")


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("goldx.toml").write_text('shard = "7"\ngateway_port = 9000\n')
    monkeypatch.setenv("GOLDX_GATEWAY_PORT", "9001")
    assert (Settings().shard, Settings().gateway_port, Settings().console_port) == ("7", 9001, 8601)


def test_a_named_file_is_read_and_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text("lease_ms = 300\n")
    monkeypatch.setenv("GOLDX_CONFIG", "other.toml")
    assert Settings().lease_ms == 300
    monkeypatch.setenv("GOLDX_CONFIG", "missing.toml")
    with pytest.raises(BadSettings, match=r"GOLDX_CONFIG: 'missing.toml' is not allowed"):
        Settings()


def test_all_wrong_values_are_named_at_once_and_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDX_GATEWAY_PORT", "70000")
    monkeypatch.setenv("GOLDX_DATABASE_URL", "mysql://root:s3cret@host/db")
    monkeypatch.setenv("GOLDX_GATEWAI_PORT", "1")
    Path("goldx.toml").write_text('shard = "a b"\ncolour = "gold"\n')
    result = CliRunner().invoke(main, ["settings"])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    problems = result.output.splitlines()[1:]
    assert [line.split(":")[0].strip() for line in problems] == [
        "GOLDX_GATEWAI_PORT",
        "GOLDX_DATABASE_URL",
        "shard",
        "GOLDX_GATEWAY_PORT",
        "colour",
    ]
    assert "'70000' is not allowed; it must be a whole number from 0 to 65535" in result.output
    assert "s3cret" not in result.output


def test_a_file_that_is_not_toml_is_refused_with_its_place() -> None:
    Path("goldx.toml").write_text("shard = \n")
    with pytest.raises(BadSettings, match=r"goldx.toml is not TOML: .*line 1"):
        Settings()


@pytest.mark.parametrize("name", ["redis_url", "database_url", "gateway_url"])
def test_urls_of_another_kind_are_refused(name: str) -> None:
    with pytest.raises(BadSettings, match=rf"{name}: 'ftp://h' is not allowed"):
        Settings(**{name: "ftp://h"})


def test_effective_settings_are_printed_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDX_REDIS_URL", "rediss://user:p@ss/word@host:6380/1")
    output = CliRunner().invoke(main, ["settings"]).output
    assert "redis_url\trediss://user:***@host:6380/1\n" in output
    assert "database_url\t-\n" in output


def test_an_unset_url_is_that_of_the_running_exchange_and_of_no_other() -> None:
    settings = Settings(data_dir=Path("data"))
    with pytest.raises(NotRunning, match="set GOLDX_REDIS_URL, or start `goldx serve`"):
        resolve_redis_url(settings)
    run = run_folder(settings)
    run.mkdir(parents=True)
    (run / "services.json").write_text(json.dumps({"redis_url": "unix:///of/serve"}))
    with (run / "serve.lock").open("wb") as lock:
        with pytest.raises(NotRunning, match="no exchange runs on"):
            resolve_redis_url(settings)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert resolve_redis_url(settings) == "unix:///of/serve"
    assert resolve_redis_url(Settings(redis_url="redis://elsewhere")) == "redis://elsewhere"


def test_operations_page_holds_the_table_of_settings() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert markdown_table() in page, "run: goldx settings --table, and put it into docs/operations.md"
