"""Who shares a processor with whom on a small machine."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldx.hosting.placement import ENOUGH, processors_of
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor

EVERYBODY = ("valkey", "postgres", "engine", "standby", "settlement", "archiver", "gateway", "console")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="gx"))
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("there", [{0, 1}, {3, 5}, {0, 1, 2}])
def test_on_a_small_machine_the_gateway_is_kept_apart(there: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: there)
    first, *others = sorted(there)
    for name in EVERYBODY:
        behind = name in ("valkey", "engine", "standby")
        expected = {first} if name == "gateway" else set(others) if behind else there
        assert processors_of(name) == expected


@pytest.mark.parametrize("there", [{2}, set(range(ENOUGH)), set(range(64))])
def test_elsewhere_nobody_is_kept_anywhere(there: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: there)
    assert {processors_of(name) for name in EVERYBODY} == {frozenset(there)}


@pytest.mark.parametrize("apart", [True, False])
async def test_serve_keeps_its_processes_so_unless_it_is_told_not_to(apart: bool, short_folder: Path) -> None:
    """Their helpers too: a thread that came before the placing would stay where it likes."""
    there = os.sched_getaffinity(0)
    if len(there) < 2:
        pytest.skip("there is one processor only")
    two = set(sorted(there)[:2])
    settings = Settings(data_dir=short_folder, gateway_port=0, console_port=0, keep_apart=apart)
    os.sched_setaffinity(0, two)
    try:
        async with Supervisor(settings, services=("engine", "settlement", "gateway")) as exchange:
            for name, server in exchange.services.items():
                expected = processors_of(name) if apart else two
                for thread in Path(f"/proc/{server.pid}/task").iterdir():
                    assert os.sched_getaffinity(int(thread.name)) == expected, name
            assert apart == (os.sched_getaffinity(exchange.services["gateway"].pid) != two)
    finally:
        os.sched_setaffinity(0, there)
