"""What the venue's staff do in the demonstration: the operator through REST, the clerks through ``goldx`` commands."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from goldx.client.keys import Key
from goldx.demo import venue
from goldx.demo.shell import Shell
from goldx.protocol import units

WAIT_SECONDS: Final = 60.0
JOURNAL: Final = "journal.jsonl"
EVENTS: Final = "events.jsonl"


class StaffFailed(RuntimeError):
    """The exchange refused something that the staff asked for, or did not do it in time."""


class Operator:
    """Market operations, through the REST API with a key of their own."""

    def __init__(self, gateway_url: str, key: Key) -> None:
        self._key = key
        self._http = httpx.AsyncClient(base_url=gateway_url, timeout=30.0)

    async def __aenter__(self) -> "Operator":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Any:
        """The answer of one GET. Raises StaffFailed with the problem."""
        return self._read(await self._http.get(path, headers=self._headers()))

    async def command(self, method: str, **params: Any) -> Any:
        """One command of the venue. Raises StaffFailed with the reason of the refusal."""
        body = {"method": method, "params": params}
        return self._read(await self._http.post("/v1/operator/commands", json=body, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.bearer_token()}"}

    @staticmethod
    def _read(response: httpx.Response) -> Any:
        if response.is_error:
            raise StaffFailed(f"{response.request.method} {response.request.url.path}: {response.text}")
        return response.json()


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Waits until an awaitable condition holds. Raises StaffFailed after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise StaffFailed(f"waited {WAIT_SECONDS:.0f} s in vain: {what}")
        await asyncio.sleep(0.1)


async def register(shell: Shell, keys: Path) -> str:
    """Registers staff and members and makes a key for each, in files under ``keys``; returns how many, in words."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for person in venue.STAFF:
        await shell.run("staff", "add", person.code, "--name", person.title, "--permissions", person.permissions)
        holder = ("--staff", person.code, "--permissions", person.permissions)
        await shell.run("key", "create", *holder, "--out", str(keys / f"{person.code}.pem"))
    for firm in (venue.VENUE, *venue.FIRMS, venue.VISITOR):
        await shell.run("member", "add", firm.code, "--name", firm.name, "--name-zh", firm.name_zh)
        if firm is not venue.VENUE:
            await shell.run("key", "create", "--member", firm.code, "--out", str(keys / f"{firm.code}.pem"))
    return f"{len(venue.STAFF)} staff, {len(venue.FIRMS) + 2} members, an Ed25519 key each"


async def define(operator: Operator) -> str:
    """Opens the trading accounts and defines the instruments; returns what, in words."""
    for firm in (venue.VENUE, *venue.FIRMS, venue.VISITOR):
        for account in firm.cash:
            await operator.command("account.open", account=account, member=firm.code, kind=firm.kind)
    for instrument in venue.INSTRUMENTS:
        await operator.command("instrument.define", **instrument)
    return ", ".join(f"{i['symbol']} {i['name_zh']}" for i in venue.INSTRUMENTS)


async def pay_in(shell: Shell) -> int:
    """Pays in every account's money: one clerk proposes, another approves. Returns fen."""
    total = 0
    numbers = []
    for firm in (venue.VENUE, *venue.FIRMS, venue.VISITOR):
        for account, amount in firm.cash.items():
            paper = ("--account", account, "--amount", amount, "--bank-reference", f"ESCROW-{account}")
            numbers.append(_proposal(await shell.run("clerk", "--as", venue.CLERK.code, "cash-in", *paper)))
            total += units.parse_money(amount)
    await shell.run("clerk", "--as", venue.SECOND_CLERK.code, "approve", *numbers)
    return total


async def take_in_bars(shell: Shell, said: Callable[[str], None]) -> int:
    """Takes in the lots of the bar list up to the receipt; returns how many lots there are."""
    await shell.run(
        *("clerk", "--as", venue.CLERK.code, "warehouse-add", venue.WAREHOUSE),
        *("--name", "Delivery warehouse 1", "--city", "Xiamen"),
    )
    until = f"{date.today().year + 1}-12-31"  # noqa: DTZ011
    for scale, resolution, capacity in venue.SCALES:
        kind = ("--resolution", resolution, "--capacity", capacity, "--calibration", f"CAL-{scale}")
        where = ("--warehouse", venue.WAREHOUSE, "--valid-until", until)
        await shell.run("clerk", "--as", venue.CLERK.code, "scale", "add", scale, *kind, *where)
    for laboratory, name, name_zh in venue.LABORATORIES:
        named = ("--name", name, "--name-zh", name_zh, "--accreditation", "CMA", "--accreditation", "CNAS")
        valid = ("--number", f"CNAS-{laboratory}", "--valid-from", "2020-01-01", "--valid-until", until)
        await shell.run("clerk", "--as", venue.CLERK.code, "laboratory", "add", laboratory, *named, *valid)
    with as_file(files("goldx.demo") / "bars.csv") as bars:
        said("pre-advice")
        arrived = await shell.run("clerk", "--as", venue.CLERK.code, "import-bars", str(bars))
        said("being weighed, screened, melted, sampled, assayed, certified, registered")
        await shell.run("clerk", "--as", venue.CLERK.code, "process", str(bars))
    said("receipts: one clerk proposes, another approves")
    number = _proposal(await shell.run("clerk", "--as", venue.CLERK.code, "issue"))
    await shell.run("clerk", "--as", venue.SECOND_CLERK.code, "approve", number)
    return int(arrived.split()[0])


async def set_phase(operator: Operator, phase: str) -> None:
    """Takes every instrument into a phase."""
    for instrument in venue.INSTRUMENTS:
        await operator.command("market.set_phase", symbol=instrument["symbol"], phase=phase)


async def withdraw(shell: Shell) -> dict[str, Any]:
    """One member takes gold out: application, approval by a second person, two signatures at the counter.

    Returns what the proposal said: lots, allocated weight, price and money of the over/short weight.
    """
    code = "271828"
    wish = ("--account", venue.WITHDRAWER, "--symbol", venue.WITHDRAWN_SYMBOL, "--weight", venue.WITHDRAWN_GRAMS)
    where = ("--warehouse", venue.WAREHOUSE, "--collector", f"{venue.WITHDRAWER}, driver")
    secrets = ("--collector-id", venue.COLLECTOR_ID, "--pickup-code", code)
    number = _proposal(await shell.run("clerk", "--as", venue.CLERK.code, "load-out", "apply", *wish, *where, *secrets))
    waiting = (await shell.run("clerk", "--as", venue.CLERK.code, "proposals")).splitlines()
    summary: dict[str, Any] = next(json.loads(line.split("\t")[3]) for line in waiting if line.split("\t")[0] == number)
    await shell.run("clerk", "--as", venue.SECOND_CLERK.code, "approve", number)
    sheet = str(summary["load_out"])
    shown = ("load-out", "sign", sheet, "--pickup-code", code, "--collector-id", venue.COLLECTOR_ID)

    async def signed() -> bool:
        answer = await shell.execute("clerk", "--as", venue.SECOND_CLERK.code, *shown)
        if answer.exit_code != 0 and "is APPROVED" not in answer.error:
            raise StaffFailed(f"the signature was refused: {answer.error}")
        return answer.exit_code == 0

    await until(signed, "the engine to settle the withdrawal")
    await shell.run("clerk", "--as", venue.CLERK.code, "load-out", "release", sheet)
    return summary


async def reconcile(shell: Shell) -> dict[str, Any]:
    """The three-way reconciliation: ``{"run_id", "sequence", "checked", "breaks": [...]}``."""
    answer = await shell.execute("clerk", "--as", venue.SECOND_CLERK.code, "reconcile", "--json")
    report: dict[str, Any] = json.loads(answer.output)
    return report


class Verdict(NamedTuple):
    """Whether the journal's replay gives what was published; ``digest`` is the state's SHA-256 at its end."""

    same: bool
    verdict: str
    digest: str


async def export_and_verify(shell: Shell, folder: Path) -> Verdict:
    """Writes journal and events as ``goldx replay`` reads and writes them, and has the one compared with the other."""
    await shell.run("journal", "export", "--out", str(folder / JOURNAL))
    await shell.run("journal", "events", "--out", str(folder / EVENTS))
    answer = await shell.execute("journal", "verify")
    lines = (answer.output + answer.error).splitlines()
    digest = next((line.removeprefix("digest ") for line in lines if line.startswith("digest ")), "")
    return Verdict(answer.exit_code == 0, lines[-1], digest)


def _proposal(output: str) -> str:
    """``proposal 17 waits ...`` -> ``17``."""
    return output.split()[1]
