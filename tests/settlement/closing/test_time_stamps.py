"""Signed days are stamped by an outside service, whose answer proves the record; one that is away stops nothing."""

import asyncio
import contextlib
import json
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from goldx.hosting.errors import BadSettings
from goldx.hosting.settings import Settings
from settlement.base.refusal import Refused
from settlement.closing import archive, opening, time_stamps
from settlement.closing import day as days
from settlement.closing.time_stamps import Authority, BadStamp
from settlement.service.stamping import Stamping
from settlement.tables.closing import day_stamp
from tests.settlement.closing import time_stamp_service
from tests.settlement.closing.days import sign_all
from tests.settlement.commands import goldx
from tests.settlement.service_process import Service
from tests.settlement.small_exchange import ONE, SmallExchange, do


async def sign_and_archive(exchange: SmallExchange, folder: Path) -> None:
    for day in await do(exchange, days.over):
        await sign_all(exchange, day)
        await do(exchange, archive.archive, day.day, folder)


async def test_a_stamp_is_of_these_bytes_and_of_a_trusted_service(roots: Path, service_url: str, folder: Path) -> None:
    trusted = time_stamps.read_roots(roots)
    answer, at = await Authority(service_url, trusted).stamp(b"the record")
    assert time_stamps.check(answer, b"the record", trusted) == at
    for size in range(0, len(answer), 7):
        with pytest.raises(BadStamp):
            time_stamps.check(answer[:size], b"the record", trusted)
    others = time_stamps.read_roots(time_stamp_service.make_certificates(folder))
    for given, content, known in (
        (answer, b"another record", trusted),
        (answer, b"the record", others),
        (answer[:-9] + bytes(9), b"the record", trusted),
        (b"no answer", b"the record", trusted),
    ):
        with pytest.raises(BadStamp):
            time_stamps.check(given, content, known)
    with pytest.raises(BadStamp):
        time_stamps.check(answer, b"the record", trusted, nonce=1)
    version = answer.rindex(b"\xa0\x03\x02\x01\x02") + 4
    with pytest.raises(BadStamp, match="not a valid X509 version"):
        time_stamps.check(answer[:version] + b"\x12" + answer[version + 1 :], b"the record", trusted)
    for place, byte in enumerate(answer):
        altered = answer[:place] + bytes((byte ^ 0x10,)) + answer[place + 1 :]
        with contextlib.suppress(BadStamp):
            time_stamps.check(altered, b"the record", trusted)


async def test_the_service_stamps_each_signed_day_and_verify_proves_it(
    three_days_closed: SmallExchange,
    migrated_url: str,
    valkey_url: str,
    roots: Path,
    service_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange, folder = three_days_closed, roots.parent
    over = await do(exchange, days.over)
    for day in over:
        await sign_all(exchange, day)
    set_to = {"RECORD_DIR": str(folder / "records"), "TIMESTAMP_URL": service_url, "TIMESTAMP_ROOTS": str(roots)}
    set_to["SHARD"] = exchange.shard  # verify reads the archived file, too
    for name, value in set_to.items():
        monkeypatch.setenv(f"GOLDX_{name}", value)
    monkeypatch.setenv("GOLDX_DATABASE_URL", migrated_url)
    monkeypatch.chdir(folder)
    process = Service(migrated_url, valkey_url, exchange.shard)
    await process.start()
    try:
        async with asyncio.timeout(60):
            while await do(exchange, lambda c: c.scalar(select(func.count()).select_from(day_stamp))) < len(over):
                await asyncio.sleep(0.05)
    finally:
        await process.kill()
    said = (await goldx("day", "--as", ONE, "verify", str(over[1].day))).output
    assert said.endswith(f"by the time stamp of {service_url}: checked\n")
    found = json.loads((await goldx("day", "--as", ONE, "verify", str(over[2].day), "--json")).output)
    assert found["time_stamp"]["checked"]
    file = folder / "records" / exchange.shard / f"{over[1].day}.json"
    record = json.loads(file.read_bytes())
    await do(
        exchange,
        time_stamps.keep,
        over[1].day,
        b"that of another process",
        datetime.now(tz=UTC),
        "https://another",
    )
    async with exchange.engine.connect() as connection:
        answer = await connection.scalar(select(day_stamp.c.answer).where(day_stamp.c.day == over[1].day))
    (folder / "answer.tsr").write_bytes(answer or b"")
    command = ("openssl", "ts", "-verify", "-digest", record["sha256"], "-in", "answer.tsr", "-CAfile", str(roots))
    assert "Verification: OK" in await asyncio.to_thread(subprocess.check_output, command, text=True)
    monkeypatch.delenv("GOLDX_TIMESTAMP_ROOTS")
    assert "not checked" in (await goldx("day", "--as", ONE, "verify", str(over[1].day))).output
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE day_stamp DISABLE TRIGGER append_only"))
        await connection.execute(
            text("UPDATE day_stamp SET answer = (SELECT answer FROM day_stamp WHERE day = :other) WHERE day = :day"),
            {"day": over[1].day, "other": over[2].day},
        )
    with pytest.raises(Refused, match="its time stamp does not hold"):
        await do(exchange, time_stamps.verify, over[1].day, time_stamps.read_roots(roots))


async def test_a_service_that_is_away_keeps_no_day_from_opening(three_days_closed: SmallExchange, roots: Path) -> None:
    exchange = three_days_closed
    await sign_and_archive(exchange, roots.parent / "records")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    stamping = Stamping(exchange.engine, Authority(url, time_stamps.read_roots(roots)))
    await stamping.tend()
    await asyncio.wait(stamping.under_way)
    await stamping.tend()
    assert stamping.under_way == [], "it is asked again later"
    await stamping.close()
    found = await do(exchange, opening.present)
    assert found is not None
    assert found.may_open
    assert len(await do(exchange, time_stamps.waiting)) == 3


def test_a_service_without_trusted_roots_is_refused(tmp_path: Path) -> None:
    assert time_stamps.authority(Settings()) is None
    with pytest.raises(BadSettings, match="timestamp_roots: not set"):
        time_stamps.authority(Settings(timestamp_url="http://host/stamp"))
    wrong = tmp_path / "roots.pem"
    wrong.write_text("no certificate")
    with pytest.raises(BadSettings, match=r"timestamp_roots: .* it must be a PEM file"):
        time_stamps.authority(Settings(timestamp_url="http://host/stamp", timestamp_roots=wrong))
