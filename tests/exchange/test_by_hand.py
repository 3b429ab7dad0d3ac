"""The clerk's page, typed line by line on a new exchange, in each of its languages."""

import asyncio
import json
import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from goldx.client.keys import Key
from goldx.demo.shell import CommandResult, Shell
from goldx.demo.staff import Rest
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from settlement.base import database, working_days
from tests.exchange.new_documents import NewDocuments
from tests.private_files import open_to_others, usual_umask

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("clerk.md", "clerk.zh-CN.md")
FIRST_DAY, NEXT_DAY = "2026-11-24", "2026-11-25"
"""The days of the pages: where they are typed they are today, and the next weekday."""
MARK = "  # "
"""The text behind this mark is printed by the command; ``refused`` means that the command ends with an error."""
RECORD = "commands.jsonl"
"""A file that the test itself writes."""
TO_THE_ENGINE = ("approve", "operator")
"""After these commands the engine has something to do, whose events settlement then posts."""


def lines_to_type(page: str) -> list[tuple[str, str]]:
    """Return every command of a page's console blocks, and the text that it prints."""
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [(command, printed) for command, _, printed in (line.partition(MARK) for line in lines)]


def files_of(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name."""
    return dict(re.findall(r"```text (\S+)\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def of_today(text: str) -> str:
    """Return a text of the pages with the days of today instead of theirs, also as MT940 has them."""
    today = working_days.today()
    following = next(day for day in (today + timedelta(days=ahead) for ahead in (1, 2, 3)) if day.weekday() < 5)
    text = text.replace(FIRST_DAY, str(today)).replace(NEXT_DAY, str(following))
    return text.replace("261124", f"{today:%y%m%d}").replace("261123", f"{today - timedelta(days=1):%y%m%d}")


async def until_posted(supervisor: Supervisor) -> None:
    """Wait until the outbox is empty and settlement has posted every event."""
    async with Rest(supervisor.gateway_url, Key.load(Path("operator-1.pem"))) as operator:
        while True:
            status = await operator.get("/v1/settlement/status")
            if status["sequence"] == status["last_sequence"] and not status["outbox"]:
                return
            await asyncio.sleep(0.05)


def check(command: str, result: CommandResult, printed: str) -> None:
    output = f"{command}\n{result.output}{result.error}"
    assert (result.exit_code != 0) == (printed == "refused"), output
    assert printed == "refused" or printed in result.output, output


def test_both_languages_type_the_same_but_for_names_of_people_and_places() -> None:
    """Names, cities and reasons are Chinese on the Chinese page; commands, figures and what is printed are the same."""
    english, chinese = (lines_to_type(page) for page in PAGES)
    assert len(english) == len(chinese) > 100
    assert files_of(PAGES[0]) == files_of(PAGES[1]) != {}
    for (command, printed), (typed_in_chinese, printed_in_chinese) in zip(english, chinese, strict=True):
        words = zip(shlex.split(command), shlex.split(typed_in_chinese), strict=True)
        assert [a for a, b in words if a != b and b.isascii()] == []
        assert printed == printed_in_chinese


@pytest.mark.campaign
@pytest.mark.parametrize("page", PAGES)
async def test_each_form_lives_as_the_page_shows(page: str, working_folder: Path) -> None:
    settings = Settings(data_dir=working_folder / "data", gateway_port=0)
    given = {name: of_today(content) for name, content in files_of(page).items()}
    unprinted = {}
    with usual_umask():
        async with (
            Supervisor(settings, services=("engine", "settlement", "gateway")) as supervisor,
            Shell(supervisor.environment, working_folder / RECORD) as shell,
        ):
            for name, content in given.items():
                Path(name).write_text(content)
            engine = database.connect(supervisor.database_url)
            made = NewDocuments(engine)
            for typed, printed in lines_to_type(page):
                command = of_today(typed)
                program, *words = shlex.split(command)
                assert program == "goldx"
                result = await shell.execute(*words)
                check(command, result, printed)
                unprinted[command] = await made.unprinted(result.output)
                if any(word in words for word in TO_THE_ENGINE):
                    await until_posted(supervisor)
            await engine.dispose()
            lots = (await shell.run("clerk", "--as", "clerk-1", "lots", "--gone", "--json")).splitlines()
    rows = [json.loads(line) for line in lots]
    assert [row["lot"] for row in rows if row["status"] == "CONSUMED"] == [2, 3]
    assert {row["form"]: row["status"] for row in rows} == {
        "SCRAP_JEWEL": "RELEASED",
        "KARAT_ALLOY": "RECEIPTED",
        "DORE": "RECEIPTED",
        "NONAPPROVED_BAR": "RELEASED",
        "GRAIN": "RECEIPTED",
    }
    assert Path("bulletin.pdf").read_bytes().startswith(b"%PDF")
    assert Path("certificate-1.pdf").read_bytes().startswith(b"%PDF")
    assert made.kinds > {
        "cash_transfer",
        "assay_exchange",
        "fee_bill",
        "inventory_count",
        "load_out",
        "lot",
        "proposal",
        "receipt",
    }
    assert {command: missing for command, missing in unprinted.items() if missing} == {}
    files = [path for path in working_folder.iterdir() if path.is_file() and path.name not in {*given, RECORD}]
    assert {".pdf", ".xlsx", ".csv", ".pem"} <= {path.suffix for path in files}
    assert open_to_others(files) == {}
