"""The commands that administrators and clerks type, on a real database, in the order of a working day."""

import json
import stat
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.client.keys import Key
from tests.registered import find_principal
from tests.settlement.commands import clerk, goldx
from tests.settlement.engine_runner import EngineRunner
from tests.settlement.small_exchange import SmallExchange, bars

pytestmark = pytest.mark.usefixtures("configured_database")


async def test_a_working_day(engine: AsyncEngine, engine_runner: EngineRunner) -> None:
    exchange = SmallExchange(engine, engine_runner)
    await exchange.ledger.open()
    await engine_runner.define("AU")
    await engine_runner.open("A.H", "B.H", "VENUE")
    await exchange.post()
    for name in ("clerk-1", "clerk-2"):
        await goldx("staff", "add", name, "--name", name, "--permissions", "settle")
    await goldx("staff", "add", "auditor", "--name", "Supervisor", "--permissions", "supervise")
    await clerk("clerk-1", "warehouse-add", "XM1", "--name", "Warehouse one", "--city", "Xiamen")
    until = ("--valid-until", "2099-12-31")
    scale = ("--warehouse", "XM1", "--resolution", "0.01", "--capacity", "30000.00", "--calibration", "CAL-1")
    await clerk("clerk-1", "scale", "add", "SCALE-1", *scale, *until)
    accredited = ("--accreditation", "CNAS", "--accreditation-number", "L1", "--valid-from", "2020-01-01")
    await clerk("clerk-1", "laboratory", "add", "LAB-A", "--name", "Laboratory A", *accredited, *until)

    await clerk("clerk-1", "cash-in", "--account", "B.H", "--amount", "1000000.00", "--bank-reference", "bank-1")
    assert "to approve it takes another person" in await clerk("clerk-1", "approve", "1", code=1)
    await clerk("clerk-2", "approve", "1")
    await exchange.round_trip()

    Path("bad.csv").write_bytes(bars([{"serial": "A1"}, {"serial": "A2", "gross_g": "x"}, {"serial": "A1"}]))
    problems = await clerk("clerk-1", "import-bars", "bad.csv", code=1)
    assert "line 3, gross_g" in problems
    assert "line 4, serial" in problems
    Path("bars.csv").write_bytes(bars([{"serial": f"A{n}"} for n in range(10)]))
    assert "10 lots are advised" in await clerk("clerk-1", "import-bars", "bars.csv")
    assert "as file 1, 'bars.csv'" in await clerk("clerk-1", "import-bars", "bars.csv", code=1)
    assert "bars.csv exists already" in await clerk("auditor", "files", "get", "1", "--out", "bars.csv", code=1)
    assert "bars.csv exists already" in await clerk("auditor", "export", "bars", "--out", "bars.csv", code=1)
    Path("again.csv").write_bytes(bars([{"serial": f"A{n}", "gross_g": "99.99"} for n in range(10)]))
    assert "is lot" in await clerk("clerk-1", "import-bars", "again.csv", code=1)
    assert "10 lots are weighed" in await clerk("clerk-1", "process", "bars.csv")
    await clerk("clerk-1", "issue")
    assert '"fine_g": {"AU": "999"}' in await clerk("auditor", "proposals")
    await clerk("clerk-2", "approve", "2")
    await exchange.round_trip()
    assert (await clerk("auditor", "lots", "--status", "RECEIPTED")).count("\n") == 11

    await exchange.trade("B.H", "A.H", 60_000, 300)
    application = ("--account", "B.H", "--symbol", "AU", "--warehouse", "XM1", "--collector", "Carrier")
    identity = ("--collector-id", "AB-1234567")
    await clerk("clerk-1", "load-out", "apply", *application, *identity, "--fine", "299.7", "--pickup-code", "271828")
    await clerk("clerk-2", "approve", "3")
    await exchange.round_trip()
    sign = ("load-out", "sign", "1", *identity, "--pickup-code")
    assert "not the pick-up code" in await clerk("clerk-2", *sign, "0", code=1)
    assert "another person must hand it over" in await clerk("clerk-2", *sign, "271828")
    assert "another person" in await clerk("clerk-2", "load-out", "release", "1", code=1)
    assert "released lots: 1, 2, 3" in await clerk("clerk-1", "load-out", "release", "1")

    assert (await clerk("auditor", "lots")).count("\n") == 8
    assert (await clerk("auditor", "lots", "--gone")).count("\n") == 11
    await clerk("auditor", "export", "bars", "--out", "here.csv")
    await clerk("auditor", "export", "bars", "--gone", "--out", "all.csv")
    assert [len(Path(file).read_text().splitlines()) for file in ("here.csv", "all.csv")] == [8, 11]
    assert "member\tB.H\tCNY\t819982.00" in await clerk("auditor", "balances", "--account", "B.H")
    report = json.loads(await clerk("auditor", "reconcile", "--json"))
    assert report["breaks"] == []
    assert report["sequence"] == engine_runner.engine.sequence
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE engine_holding SET total = total + 1 WHERE asset = 'AU'"))
    assert "HOLDING\tB.H\tAU" in await clerk("auditor", "reconcile", code=1)
    assert "entries, unbroken" in (await goldx("audit", "verify")).output
    assert "none of the permissions settle" in await clerk("auditor", "issue", code=1)
    assert "staff" in await clerk("nobody", "issue", code=1)


async def test_keys(engine: AsyncEngine) -> None:
    await goldx("member", "add", "M1", "--name", "Member one")
    await goldx("key", "create", "--member", "M1", "--out", "m1.key")
    assert stat.S_IMODE(Path("m1.key").stat().st_mode) == 0o600
    key = Key.load("m1.key")
    principal = await find_principal(engine, key.key_id)
    assert principal is not None
    assert (principal.member, principal.public_key) == ("M1", key.public_bytes)
    await goldx("key", "create", "--member", "M1", "--out", "m1.key", code=1)
    await goldx("key", "create", "--member", "M1", "--permissions", "settle", "--out", "m2.key", code=1)
    assert not Path("m2.key").exists()
    await goldx("key", "revoke", key.key_id, "--reason", "lost")
    assert await find_principal(engine, key.key_id) is None
