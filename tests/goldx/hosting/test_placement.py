"""Placement on a small machine: which process may use which processors."""

import os
from pathlib import Path

import pytest

from goldx.hosting.placement import ENOUGH_PROCESSORS, processors_of
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor

ALL_PROCESSES = ("valkey", "postgres", "engine", "standby", "settlement", "archiver", "gateway", "console")


@pytest.mark.parametrize("there", [{0, 1}, {3, 5}, {0, 1, 2}])
def test_on_a_small_machine_the_gateway_is_kept_apart(there: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: there)
    first, *others = sorted(there)
    for name in ALL_PROCESSES:
        behind = name in ("valkey", "engine", "standby")
        expected = {first} if name == "gateway" else set(others) if behind else there
        assert processors_of(name) == expected


@pytest.mark.parametrize("there", [{2}, set(range(ENOUGH_PROCESSORS)), set(range(64))])
def test_on_other_machines_no_process_is_restricted(there: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: there)
    assert {processors_of(name) for name in ALL_PROCESSES} == {frozenset(there)}


@pytest.mark.campaign
@pytest.mark.parametrize("apart", [True, False])
async def test_serve_places_its_processes_unless_the_setting_is_off(apart: bool, folder: Path) -> None:
    """All their threads: one that began before its process was restricted would not be."""
    there = os.sched_getaffinity(0)
    if len(there) < 2:
        pytest.skip("there is one processor only")
    two = set(sorted(there)[:2])
    settings = Settings(data_dir=folder, gateway_port=0, console_port=0, keep_apart=apart)
    os.sched_setaffinity(0, two)
    try:
        async with Supervisor(settings, services=("engine", "settlement", "gateway")) as supervisor:
            for name, server in supervisor.services.items():
                expected = processors_of(name) if apart else two
                for thread in Path(f"/proc/{server.pid}/task").iterdir():
                    assert os.sched_getaffinity(int(thread.name)) == expected, name
            assert apart == (os.sched_getaffinity(supervisor.services["gateway"].pid) != two)
    finally:
        os.sched_setaffinity(0, there)
