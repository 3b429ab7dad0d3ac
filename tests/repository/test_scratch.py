"""The temporary folder of a test session: when it is in memory, and that nothing of it remains."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.scratch import Scratch

DEFAULT = "not campaign and not slow and not faults"


pytestmark = pytest.mark.usefixtures("no_tmpdir")


def test_this_process_and_its_children_use_it_and_it_is_removed(tmp_path: Path) -> None:
    scratch = Scratch(DEFAULT, tmp_path, room=1)
    assert scratch.folder is not None
    assert scratch.folder.parent == tmp_path
    assert scratch.description == f"data of the tests' servers: {scratch.folder}, in memory"
    ask = [sys.executable, "-c", "import tempfile; print(tempfile.mkdtemp())"]
    child = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    for made in (tempfile.mkdtemp(), child):
        assert Path(made).parent == scratch.folder
    assert os.stat(scratch.folder).st_mode & 0o777 == 0o711
    scratch.close()
    assert list(tmp_path.iterdir()) == []
    assert "TMPDIR" not in os.environ
    assert Path(tempfile.gettempdir()) != tmp_path


@pytest.mark.parametrize(
    ("marks", "on_disk"),
    [
        (DEFAULT, False),
        ("campaign", False),
        ("browser", False),
        ("browser and not slow", False),
        ("slow", True),
        ("faults", True),
        ("slow or not faults", True),
        ("", True),
    ],
)
def test_what_tests_the_disk_uses_it(tmp_path: Path, marks: str, on_disk: bool) -> None:
    scratch = Scratch(marks, tmp_path, room=1)
    assert (scratch.folder is None) == on_disk
    assert scratch.description.endswith("these tests are about the disk" if on_disk else "in memory")
    scratch.close()


def test_a_session_with_tmpdir_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    scratch = Scratch(DEFAULT, tmp_path / "memory", room=1)
    assert scratch.description == f"data of the tests' servers: {tmp_path}, as TMPDIR says"
    scratch.close()
    assert os.environ["TMPDIR"] == str(tmp_path)


def test_without_room_in_memory_the_disk_is_used(tmp_path: Path) -> None:
    for memory, room in ((tmp_path, 1 << 60), (tmp_path / "no", 1)):
        scratch = Scratch(DEFAULT, memory, room)
        assert scratch.folder is None
        scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_killed_session_is_removed_by_the_next_one_and_that_of_a_running_one_is_not(
    tmp_path: Path,
) -> None:
    running = Scratch(DEFAULT, tmp_path, room=1)
    begin = f"from tests.scratch import *; Scratch('{DEFAULT}', Path('{tmp_path}'), 1); print(flush=True); input()"
    outside = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    killed = subprocess.Popen([sys.executable, "-c", begin], stdin=-1, stdout=-1, env=outside)
    assert killed.stdout is not None
    killed.stdout.readline()
    assert len(list(tmp_path.iterdir())) == 2
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(tmp_path.iterdir())) == 2
    os.environ.pop("TMPDIR")
    following = Scratch(DEFAULT, tmp_path, room=1)
    assert {running.folder, following.folder} == set(tmp_path.iterdir())
    following.close()
    os.environ["TMPDIR"] = str(running.folder)
    running.close()
