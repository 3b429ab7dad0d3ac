"""Each form's life as docs/settlement.md writes it down, typed line by line on a new exchange."""

import asyncio
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from goldx.client.keys import Key
from goldx.demo.shell import Answer, Shell
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor

PAGE = Path(__file__).parents[2] / "docs" / "settlement.md"
MARK = "  # "
"""What stands behind it is printed by the command; ``refused`` means that it ends with an error."""
WAITS = ("approve", "operator")
"""After these commands the engine has something to do, and settlement hears of it."""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path, as unix sockets need; the lines are typed in it."""
    path = Path(tempfile.mkdtemp(prefix="gx"))
    monkeypatch.chdir(path)
    yield path
    shutil.rmtree(path)


def typed() -> list[tuple[str, str]]:
    """Every command of the section, and what it prints."""
    section = PAGE.read_text().partition("\n## Each form, ")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [(command, printed) for command, _, printed in (line.partition(MARK) for line in lines)]


async def settled(exchange: Supervisor) -> None:
    """Nothing waits for the engine, and everything it has said is posted."""
    headers = {"Authorization": f"Bearer {Key.load(Path('operator-1.pem')).bearer_token()}"}
    async with httpx.AsyncClient(base_url=exchange.gateway_url, headers=headers, trust_env=False) as browser:
        while True:
            status = (await browser.get("/v1/settlement/status")).raise_for_status().json()
            if status["sequence"] == status["last_sequence"] and not status["outbox"]:
                return
            await asyncio.sleep(0.05)


def check(command: str, answer: Answer, printed: str) -> None:
    said = f"{command}\n{answer.output}{answer.error}"
    assert (answer.exit_code != 0) == (printed == "refused"), said
    assert printed == "refused" or printed in answer.output, said


async def test_each_form_lives_as_the_page_says(folder: Path) -> None:
    settings = Settings(data_dir=folder / "data", gateway_port=0)
    async with (
        Supervisor(settings, services=("engine", "settlement", "gateway")) as exchange,
        Shell(exchange.environment, folder / "commands.jsonl") as shell,
    ):
        for command, printed in typed():
            program, *words = shlex.split(command)
            assert program == "goldx"
            check(command, await shell.execute(*words), printed)
            if any(word in words for word in WAITS):
                await settled(exchange)
        lots = (await shell.run("clerk", "--as", "clerk-1", "lots")).splitlines()
    forms = {line.split("\t")[3]: line.split("\t")[5] for line in lots}
    assert forms == {
        "SCRAP_JEWEL": "RELEASED",
        "KARAT_ALLOY": "RECEIPTED",
        "DORE": "RECEIPTED",
        "NONAPPROVED_BAR": "RELEASED",
        "GRAIN": "RECEIPTED",
    }
    assert Path("certificate-1.pdf").read_bytes().startswith(b"%PDF")
