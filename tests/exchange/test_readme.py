"""The README's quick start, run as it stands against the demonstration that the README starts."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
URL = "http://127.0.0.1:8600"


def quick_start(readme: str) -> str:
    """Return the one Python block of a README."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)
    return str(block)


def test_both_languages_show_the_same_lines() -> None:
    assert quick_start(READMES[0]) == quick_start(READMES[1])
    assert sum(bool(line.strip()) for line in quick_start(READMES[0]).splitlines()) <= 12


def test_every_page_that_the_readmes_point_to_exists() -> None:
    for readme in READMES:
        text = (ROOT / readme).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text) + re.findall(r"`(docs/[\w-]+\.md)`", text):
            assert (ROOT / target).exists(), f"{readme} points to {target}"


async def test_the_quick_start_buys_gold(folder: Path, client_python: Path) -> None:
    """The demonstration stays up; the lines run in its directory unchanged, but for the port if 8600 was taken.

    The Python that runs them has the member's client alone.
    """
    command = (sys.executable, "-m", "goldx.cli", "demo", "--seconds", "2", "--data-dir", "goldx-data/demo")
    demo = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=-1, stderr=-1)
    try:
        assert demo.stdout is not None
        while b"stays up" not in (line := await demo.stdout.readline()):
            assert line, "the demonstration ended"
        services = json.loads((folder / "goldx-data/demo/run/services.json").read_text())
        lines = quick_start(READMES[0]).replace(URL, services["gateway_url"])
        member = await asyncio.create_subprocess_exec(client_python, "-c", lines, cwd=folder, stdout=-1, stderr=-1)
        printed, errors = await member.communicate()
        assert member.returncode == 0, errors.decode()
        assert printed.startswith(b"filled ['")
        assert b"'AU-DORE': {'total': '2'" in printed
    finally:
        demo.send_signal(signal.SIGINT)
        await demo.communicate()
    assert demo.returncode == 0, "Ctrl-C is the way to end it"
