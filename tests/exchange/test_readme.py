"""The programs of the README and of the member's page, run unchanged against the demonstration."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
URL = "http://127.0.0.1:8600"


def program(page: str) -> str:
    """Return the one Python block of a page."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    return str(block)


def test_both_languages_show_the_same_lines() -> None:
    assert program(READMES[0]) == program(READMES[1])
    assert sum(bool(line.strip()) for line in program(READMES[0]).splitlines()) <= 12


@pytest.mark.campaign
async def test_the_programs_of_the_pages_buy_gold(folder: Path, client_python: Path) -> None:
    """The demonstration stays up; the lines run in its directory unchanged, but for the port if 8600 was taken.

    The Python that runs them has the member's client alone.
    """

    async def run(page: str, url: str) -> str:
        command = (client_python, "-c", program(page).replace(URL, url))
        member = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=-1, stderr=-1)
        printed, errors = await member.communicate()
        assert member.returncode == 0, errors.decode()
        return printed.decode()

    command = (sys.executable, "-m", "goldx.cli", "demo", "--seconds", "2", "--data-dir", "goldx-data/demo")
    demo = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=-1, stderr=-1)
    try:
        assert demo.stdout is not None
        while b"stays up" not in (line := await demo.stdout.readline()):
            assert line, (await demo.communicate())[1].decode()
        services = json.loads((folder / "goldx-data/demo/run/services.json").read_text())
        printed = await run(READMES[0], services["gateway_url"])
        assert printed.startswith("filled ['")
        assert "'AU-DORE': {'total': '2'" in printed
        printed = await run("docs/member.md", services["gateway_url"])
        assert printed.endswith("placed once: filled\n")
        assert "'client_order_id': 'visitor-1'" in printed
    finally:
        demo.send_signal(signal.SIGINT)
        await demo.communicate()
    assert demo.returncode == 0, "Ctrl-C is the way to end it"
