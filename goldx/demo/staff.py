"""The work of the venue's staff: the operator through REST, the clerks through ``goldx`` commands."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from functools import partial
from importlib.resources import as_file, files
from itertools import repeat
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import httpx

from goldx.client.keys import Key
from goldx.demo import scenario
from goldx.demo.shell import Shell
from goldx.protocol import units
from goldx.retry import is_any_of, retry

WAIT_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 0.5
AWAY: Final = (503, 504)
"""Statuses of answers that say that something behind the gateway does not answer now."""
JOURNAL: Final = "journal.jsonl"
EVENTS: Final = "events.jsonl"


class StaffFailed(RuntimeError):
    """The exchange refused a request of the staff, or did not carry it out in time. ``reason`` is that of a refusal."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class Rest:
    """Access to the REST API with a key."""

    def __init__(self, gateway_url: str, key: Key) -> None:
        self._key = key
        self._http = httpx.AsyncClient(base_url=gateway_url, timeout=30.0, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Any:
        """Return the answer to a GET; while the gateway or a server behind it is away, wait for it.

        Raises StaffFailed with the problem, and httpx's errors.
        """

        async def get() -> httpx.Response:
            response = await self._http.get(path, headers=self._headers())
            return response.raise_for_status() if response.status_code in AWAY else response

        passes = is_any_of(httpx.TransportError, httpx.HTTPStatusError)
        return self._read(await retry(get, passes, repeat(AGAIN_SECONDS), seconds=WAIT_SECONDS))

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the answer to a POST. Raises StaffFailed with the reason of a refusal."""
        post = partial(self._http.post, path, json=body)
        passes = is_any_of(httpx.ConnectError)  # nothing was sent
        return self._read(
            await retry(lambda: post(headers=self._headers()), passes, repeat(AGAIN_SECONDS), seconds=WAIT_SECONDS)
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.bearer_token()}"}

    @staticmethod
    def _read(response: httpx.Response) -> Any:
        if response.is_error:
            is_problem = response.headers.get("content-type") == "application/problem+json"
            text = f"{response.request.method} {response.request.url.path}: {response.text}"
            raise StaffFailed(text, response.json().get("reason", "") if is_problem else "")
        return response.json()


class Operator(Rest):
    """The market operator's access to the REST API, with the operator's key."""

    async def command(self, method: str, **params: Any) -> Any:
        """Give one command of the venue and return its answer. Raises StaffFailed with the reason of a refusal."""
        body = {"method": method, "params": {"reason": "the demonstration", **params}}
        return await self.post("/v1/operator/commands", body)


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until a condition holds. Raises StaffFailed after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise StaffFailed(f"waited {WAIT_SECONDS:.0f} s in vain for {what}")
        await asyncio.sleep(0.1)


async def register(shell: Shell, keys: Path) -> str:
    """Register staff and members, make a key file for each under ``keys``, and return a sentence about them."""
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    for person in scenario.STAFF:
        await shell.run("staff", "add", person.code, "--name", person.title, "--permissions", person.permissions)
        holder = ("--staff", person.code, "--permissions", person.permissions)
        await shell.run("key", "create", *holder, "--out", str(keys / f"{person.code}.pem"))
    for firm in scenario.FIRMS:
        await shell.run("member", "add", firm.code, "--name", firm.name, "--name-zh", firm.name_zh)
        if firm is not scenario.VENUE:
            await shell.run("key", "create", "--member", firm.code, "--out", str(keys / f"{firm.code}.pem"))
    return f"{len(scenario.STAFF)} staff, {len(scenario.FIRMS)} members, an Ed25519 key each"


async def define(operator: Operator) -> str:
    """Open the trading accounts, define the instruments, and return a sentence about them."""
    for firm in scenario.FIRMS:
        for account in firm.cash:
            await operator.command("account.open", account=account, member=firm.code, kind=firm.kind)
    for instrument in scenario.INSTRUMENTS:
        await operator.command("instrument.define", **instrument)
    return ", ".join(f"{i['symbol']} {i['name_zh']}" for i in scenario.INSTRUMENTS)


async def declare_sandbox(operator: Operator, second: Operator) -> dict[str, Any]:
    """Set the regime SANDBOX by two persons, and return it as the exchange has it."""
    ends = date.today() + timedelta(days=scenario.SANDBOX_DAYS)  # noqa: DTZ011
    for person in (operator, second):
        await person.command("venue.set_regime", **scenario.SANDBOX, last_trading_day=str(ends))
    found: dict[str, Any] = (await operator.get("/v1/venue/regime"))["in_force"]
    return found


async def pay_in(shell: Shell) -> int:
    """Record the money that was announced (one clerk proposes, another approves), and return the total in fen."""
    total = 0
    numbers = []
    for firm in scenario.FIRMS:
        for account, amount in firm.cash.items() if firm.announced else ():
            paper = ("--account", account, "--amount", amount, "--bank-reference", bank_reference(account))
            numbers.append(proposal_in(await shell.run("clerk", "--as", scenario.CLERK.code, "cash-in", *paper)))
            total += units.parse_money(amount)
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", *numbers)
    return total


def bank_reference(account: str) -> str:
    """Return the reference under which an account's announced money is paid."""
    return f"ESCROW-{account}"


async def take_in_bars(shell: Shell, report: Callable[[str], None]) -> int:
    """Take in the lots of the bar list up to the receipt, and return how many there are.

    ``report`` is called with what is being done.
    """
    in_city = ("--name", "Delivery warehouse 1", "--city", "Xiamen")
    await shell.run("clerk", "--as", scenario.CLERK.code, "warehouse-add", scenario.WAREHOUSE, *in_city)
    until = f"{date.today().year + 1}-12-31"  # noqa: DTZ011
    for scale, resolution, capacity in scenario.SCALES:
        kind = ("--resolution", resolution, "--capacity", capacity, "--calibration", f"CAL-{scale}")
        where = ("--warehouse", scenario.WAREHOUSE, "--valid-until", until)
        await shell.run("clerk", "--as", scenario.CLERK.code, "scale", "add", scale, *kind, *where)
    for laboratory, name, name_zh in scenario.LABORATORIES:
        named = ("--name", name, "--name-zh", name_zh, "--accreditation", "CMA", "--accreditation", "CNAS")
        valid = ("--accreditation-number", f"CNAS-{laboratory}", "--valid-from", "2020-01-01", "--valid-until", until)
        await shell.run("clerk", "--as", scenario.CLERK.code, "laboratory", "add", laboratory, *named, *valid)
    with as_file(files("goldx.demo") / "bars.csv") as bars:
        report("pre-advice")
        taken = json.loads(await shell.run("clerk", "--as", scenario.CLERK.code, "import-bars", str(bars), "--json"))
        report("being weighed, screened, melted, sampled, assayed, certified, registered")
        await shell.run("clerk", "--as", scenario.CLERK.code, "process", str(bars))
    report("receipts: one clerk proposes, another approves")
    number = proposal_in(await shell.run("clerk", "--as", scenario.CLERK.code, "issue"))
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", number)
    return len(taken["lots"])


async def set_phase(operator: Operator, phase: str) -> None:
    """Set the phase of every instrument."""
    for instrument in scenario.INSTRUMENTS:
        await operator.command("market.set_phase", symbol=instrument["symbol"], phase=phase)


async def has_opened(operator: Operator) -> bool:
    """Open every instrument; return whether that was done: the trading day may have to wait for settlement."""
    try:
        await set_phase(operator, "continuous")
    except StaffFailed as error:
        if error.reason == "DAY_WAITS":
            return False
        raise
    return True


async def withdraw(shell: Shell) -> dict[str, Any]:
    """Let a member withdraw gold: application, approval by a second person, two signatures at the counter.

    Returns the summary in the proposal: lots, allocated weight, price and money of the over/short weight.
    """
    asked = (
        "--account",
        scenario.WITHDRAWER,
        "--symbol",
        scenario.WITHDRAWN_SYMBOL,
        "--fine",
        scenario.WITHDRAWN_GRAMS,
    )
    where = ("--warehouse", scenario.WAREHOUSE, "--collector", f"{scenario.WITHDRAWER}, driver")
    secrets = ("--collector-id", scenario.COLLECTOR_ID, "--pickup-code", scenario.PICKUP_CODE)
    number = proposal_in(
        await shell.run("clerk", "--as", scenario.CLERK.code, "load-out", "apply", *asked, *where, *secrets)
    )
    shown = json.loads(await shell.run("clerk", "--as", scenario.CLERK.code, "proposal", number, "--json"))
    summary: dict[str, Any] = shown["summary"]
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", number)
    sheet = str(summary["load_out"])
    signature = (
        "load-out",
        "sign",
        sheet,
        "--pickup-code",
        scenario.PICKUP_CODE,
        "--collector-id",
        scenario.COLLECTOR_ID,
    )

    async def signed() -> bool:
        answer = await shell.execute("clerk", "--as", scenario.SECOND_CLERK.code, *signature)
        if answer.exit_code != 0 and "is APPROVED" not in answer.error:
            raise StaffFailed(f"the signature was refused: {answer.error}")
        return answer.exit_code == 0

    await wait_until(signed, "the engine to settle the withdrawal")
    await shell.run("clerk", "--as", scenario.CLERK.code, "load-out", "release", sheet)
    return summary


async def pay_out(shell: Shell, member: Rest) -> str:
    """Let a member withdraw money: its account at a bank is registered, it asks, two people pass it.

    Returns the state of its withdrawal once the engine has taken the money out.
    """
    code, account, amount = scenario.PAID_OUT
    name = next(firm.name for firm in scenario.FIRMS if firm.code == code)
    limits = ("--per-payment", "1000000.00", "--per-day", "3000000.00", "--wait-hours", "0")
    bank = ("--payee-name", name, "--payee-account", "6222 0001", "--payee-bank", scenario.BANK)
    first = proposal_in(await shell.run("clerk", "--as", scenario.OPERATOR.code, "withdrawal", "limit", *limits))
    then = proposal_in(await shell.run("clerk", "--as", scenario.CLERK.code, "payee", "add", "--member", code, *bank))
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", first, then)
    (payee,) = (await member.get("/v1/payees"))["payees"]
    asked = {"client_ref": "demo-1", "account": account, "amount": amount, "payee": payee["payee_no"]}
    number = str((await member.post("/v1/withdrawals", asked))["withdrawal_no"])
    accepted = proposal_in(await shell.run("clerk", "--as", scenario.CLERK.code, "withdrawal", "accept", number))
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", accepted)
    state = ""

    async def paid() -> bool:
        nonlocal state
        state = (await member.get(f"/v1/withdrawals/{number}"))["state"]
        return bool(state == "HELD")

    await wait_until(paid, "the engine to take the money out")
    return state


async def bill_fees(shell: Shell) -> None:
    """Bill the members' fees: one clerk proposes, another approves."""
    number = proposal_in(await shell.run("clerk", "--as", scenario.CLERK.code, "fees", "bill"))
    await shell.run("clerk", "--as", scenario.SECOND_CLERK.code, "approve", number)


async def reconcile(shell: Shell) -> dict[str, Any]:
    """Run the three-way reconciliation and return ``{"run_id", "sequence", "checked", "breaks": [...]}``."""
    answer = await shell.execute("clerk", "--as", scenario.SECOND_CLERK.code, "reconcile", "--json")
    report: dict[str, Any] = json.loads(answer.output)
    return report


class ReplayVerdict(NamedTuple):
    """Whether the replay of the journal gives the published events; ``digest`` is the state's SHA-256 at its end."""

    same: bool
    verdict: str
    digest: str


async def export_and_verify(shell: Shell, folder: Path) -> ReplayVerdict:
    """Export journal and events in the format of ``goldx replay``, and compare the replay with what was published."""
    await shell.run("journal", "export", "--out", str(folder / JOURNAL))
    await shell.run("journal", "events", "--out", str(folder / EVENTS))
    answer = await shell.execute("journal", "verify")
    lines = (answer.output + answer.error).splitlines()
    digest = next((line.removeprefix("digest ") for line in lines if line.startswith("digest ")), "")
    return ReplayVerdict(answer.exit_code == 0, lines[-1], digest)


def proposal_in(output: str) -> str:
    """Return the number in ``proposal 17 waits ...``."""
    return output.split()[1]
