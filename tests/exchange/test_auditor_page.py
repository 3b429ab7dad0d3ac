"""The auditor's page, typed line by line on an exchange that has traded; its proofs fail when records are altered."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from goldx.client import Key, connect
from goldx.demo.shell import Shell
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.protocol.events import AnyEvent, DayEnded, HoldingAdjusted, Trade, TradeBusted
from goldx.protocol.units import CASH
from goldx.protocol.wire import write_event_line
from settlement.base import database
from settlement.documents.registered import STANDINGS
from tests.exchange.test_by_hand import MARK, TO_THE_ENGINE, check, lines_to_type, until_posted

DOCS = Path(__file__).parents[2] / "docs"
URL = "http://127.0.0.1:8600"


def programs(page: str) -> dict[str, str]:
    """Return the programs that a page asks its reader to save, by the name of the file."""
    return dict(re.findall(r"`(\w+\.py)`:\n```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))


def typed(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one line of the page as a shell runs it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    shell = ("bash", "-o", "pipefail", "-c", command)
    return subprocess.run(shell, capture_output=True, text=True, check=False, env=environment | {"PATH": path})


async def prepare(supervisor: Supervisor, shell: Shell, folder: Path) -> None:
    """Take metal in as the clerk's page does, let two members trade, and annul one of their two trades."""
    lines = [command for command, printed in lines_to_type("clerk.md") if printed != "refused"]
    first_day = lines[: lines.index("goldx clerk --as clerk-2 approve 5") + 1]
    trading = (
        "goldx key create --member ALPHA --out alpha.pem",
        "goldx key create --member VENUE --out venue.pem",
        'goldx staff add operator-2 --name "Second operator" --permissions operate',
        "goldx key create --staff operator-2 --permissions operate --out operator-2.pem",
        "goldx operator instrument.define '{}' --reason set-up --key operator-1.pem".format(
            '{"symbol": "AU-KARAT", "form": "KARAT_ALLOY", "min_fineness": 37500, "max_fineness": 91700, '
            '"reference_price": "925.00", "maker_fee_bp": 2, "taker_fee_bp": 5}'
        ),
        'goldx operator market.set_phase \'{"symbol": "AU-KARAT", "phase": "continuous"}\' '
        "--reason opening --key operator-1.pem",
    )
    for command in (*first_day, *trading):
        _, *words = shlex.split(command)
        await shell.run(*words)
        if any(word in words for word in TO_THE_ENGINE):
            await until_posted(supervisor)
    async with (
        connect(supervisor.gateway_url, Key.load(folder / "alpha.pem")) as alpha,
        connect(supervisor.gateway_url, Key.load(folder / "venue.pem")) as venue,
    ):
        await alpha.place(account="ALPHA.H", symbol="AU-KARAT", side="sell", price="925.13", quantity="40")
        for quantity in ("7", "11"):
            placed = await venue.place(
                account="VENUE", symbol="AU-KARAT", side="buy", price="925.13", quantity=quantity
            )
    (annulled,) = placed["trades"]
    for operator in ("operator-1", "operator-2"):
        request = json.dumps({"trade_id": annulled["trade_id"]})
        await shell.run(
            "operator", "trade.bust", request, "--reason", "a mistyped quantity", "--key", f"{operator}.pem"
        )
    await until_posted(supervisor)


def expect_differences(environment: dict[str, str]) -> None:
    """Each proof fails, and names a difference, when what it is about is altered."""
    segment = sorted(Path("archive").glob("*.gxa"))[0]
    whole = segment.read_bytes()
    segment.chmod(0o644)
    segment.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert typed("goldx journal verify --archive archive", environment).returncode == 1
    segment.write_bytes(whole)

    events = Path("events.jsonl").read_text()
    assert (events.count('"amount":"6475.91"'), events.count('"event":"trade.busted"')) == (1, 1)
    Path("events.jsonl").write_text(events.replace('"amount":"6475.91"', '"amount":"6475.90"'))
    wrong = typed("python balances.py", environment)
    assert (wrong.returncode, "DIFFERENCE: ALPHA.H CNY" in wrong.stderr) == (1, True), wrong.stderr
    assert typed("goldx replay archive | cmp - events.jsonl", environment).returncode == 1


async def alter_the_audit_log(database_url: str) -> None:
    """Change an entry as somebody can who owns the database."""
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("SET session_replication_role = replica"))
        await connection.execute(text("UPDATE audit_log SET actor = 'clerk-2' WHERE number = 9"))
    await engine.dispose()


@pytest.mark.campaign
async def test_the_auditor_proves_everything_and_finds_what_is_altered(working_folder: Path) -> None:
    settings = Settings(data_dir=working_folder / "data", gateway_port=0, archive_dir=working_folder / "kept")
    async with Supervisor(settings, services=("engine", "settlement", "gateway")) as supervisor:
        environment = dict(supervisor.environment) | {"NO_PROXY": "*"}
        async with Shell(environment, working_folder / "commands.jsonl") as shell:
            await prepare(supervisor, shell, working_folder)
            for name, program in programs("auditor.md").items():
                Path(name).write_text(program.replace(URL, supervisor.gateway_url))
            for command, printed in lines_to_type("auditor.md"):
                if re.fullmatch(r"goldx [^|<>$]*", command):
                    check(command, await shell.execute(*shlex.split(command)[1:]), printed)
                    continue
                answer = await asyncio.to_thread(typed, command, environment)
                assert answer.returncode == 0, f"{command}{MARK}{answer.stdout}{answer.stderr}"
                assert printed in answer.stdout, command
        log = Path("log.txt").read_text()
        await asyncio.to_thread(expect_differences, environment)
        await alter_the_audit_log(str(supervisor.database_owner_url))
        for command in ("python chain.py", "goldx audit verify"):
            answer = await asyncio.to_thread(typed, command, environment)
            assert answer.returncode == 1
            assert "audit entry 9" in answer.stderr
    assert len(programs("auditor.md")) == 2
    assert "receipt.done receipt:1" in log


def test_what_the_page_says_to_ask_for_is_recorded_under_these_names() -> None:
    asked = re.findall(r"`((?:member|staff|key)\.\w+)`", (DOCS / "auditor.md").read_text())
    assert asked == [f"{kind}.{step}" for kind, machine in STANDINGS.items() for step in machine.steps]


BUYER, SELLER = "ann", "bob"
TERMS = (7, "AU", 60_000, 10_000, 600_000, 1, 2, BUYER, SELLER, 0)


def busted(sequence: int, sell_fee: int = 20) -> TradeBusted:
    return TradeBusted(sequence, 5, *TERMS, 30, sell_fee, 4, "ada", "ben", "a mistyped quantity")


@pytest.mark.parametrize(
    ("annulled", "printed"),
    [
        ([busted(4)], "4 balances agree; fees of trades 0.00"),
        ([busted(4), busted(5)], "trade 7 is annulled, but no such trade stands"),
        ([busted(4, sell_fee=30)], "trade 7 is annulled, but no such trade stands"),
        ([DayEnded(4, 5, "2026-11-25"), busted(5)], "trade 7 is annulled, but no such trade stands"),
        ([], "DIFFERENCE: ann AU: events, engine, ledger give"),
    ],
    ids=["once", "twice", "with another fee", "on a later day", "in the balances alone"],
)
def test_the_program_of_the_page_takes_an_annulled_trade_back(
    annulled: list[AnyEvent], printed: str, tmp_path: Path
) -> None:
    """Both parties have the money and the gold that they had before the trade."""
    program = programs("auditor.md")["balances.py"]
    assert len(program.splitlines()) < 50, "the page promises fewer"
    had = {(BUYER, CASH): "20000.00", (BUYER, "AU"): "0", (SELLER, CASH): "0.00", (SELLER, "AU"): "50"}
    events: list[AnyEvent] = [
        HoldingAdjusted(1, 1, BUYER, CASH, 2_000_000, "cash:1"),
        HoldingAdjusted(2, 1, SELLER, "AU", 50_000, "receipt:1"),
        Trade(3, 4, *TERMS, 0, 0, 30, 20),
        *annulled,
    ]
    lines = [write_event_line(event).decode() for event in events]
    for (account, asset), total in had.items():
        changed = {"event": "holding.changed", "account": account, "asset": asset, "total": total}
        lines.append(f"{json.dumps(changed)}\n")
    (tmp_path / "events.jsonl").write_text("".join(lines))
    rows = [("member", account, asset, total) for (account, asset), total in had.items()]
    rows += [("bank_escrow", "bank_escrow", CASH, "-20000.00"), ("vault", "vault", "AU", "-50")]
    table = [("kind", "account", "asset", "balance"), *rows]
    (tmp_path / "balances.tsv").write_text("\n".join("\t".join(row) for row in table))
    command = (sys.executable, "-c", program)
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert printed in answer.stdout + answer.stderr
    assert (answer.returncode == 0) == printed.endswith("0.00")
