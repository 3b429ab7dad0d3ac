"""Statements that a warehouse signs with its own key: who registers it, what it proves, and what it does not."""

from datetime import timedelta
from pathlib import Path

import pytest

from goldx.client.keys import Key, fingerprint
from goldx.protocol.units import BadValue
from settlement.base import registry
from settlement.base.refusal import Refused
from settlement.base.working_days import today
from settlement.intake import files
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import breaks, statement_file, warehouse_keys, warehouse_statement
from settlement.reports import bar_export
from settlement.service import movements
from settlement.workbooks import sheets
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, public_pem, refused

BARS = ("HX,A1,2024,100.00,999.00", "HX,A2,2024,100.00,999.00")
KEY, OTHER_KEY = Key.generate("XM1"), Key.generate("XM2")
WHY = "compared by telephone"


def statement(*rows: str, day: str | None = None) -> bytes:
    lines = [f"{row},{today() if day is None else day}" for row in rows]
    return "\n".join(("refiner,serial,year,gross_g,fineness_permille,day", *lines)).encode()


async def taken(
    exchange: SmallExchange, by: str, data: bytes, signature: bytes | None, place: str = "XM1", back: int = 0
) -> warehouse_statement.StatementComparison:
    lines = statement_file.read(sheets.read(data), Reading())
    day = today() - timedelta(days=back)
    return await do(exchange, warehouse_statement.take_in, by, place, day, "s.csv", data, lines, signature)


async def registered(exchange: SmallExchange, place: str = "XM1", key: Key = KEY) -> None:
    await exchange.approve(await do(exchange, warehouse_keys.propose, ONE, place, public_pem(key), WHY))


async def is_open(exchange: SmallExchange) -> bool:
    return bool(await do(exchange, breaks.open_breaks))


async def test_a_signed_statement_ends_breaks_though_one_person_takes_it_in(stocked_exchange: SmallExchange) -> None:
    await registered(stocked_exchange)
    short, whole = statement(BARS[0], day=f"{today() - timedelta(days=1)}"), statement(*BARS)
    found = await taken(stocked_exchange, ONE, short, KEY.sign(short), back=1)
    assert (len(found.breaks), found.signed_by, found.second) == (1, 1, False)
    assert await is_open(stocked_exchange)
    found = await taken(stocked_exchange, ONE, whole, KEY.sign(whole))
    assert (found.breaks, found.signed_by, await is_open(stocked_exchange)) == ((), 1, False)
    kept = await do(stocked_exchange, files.original, 2)
    assert kept.result["signed_by"] == 1
    assert KEY.sign(kept.content).hex() == kept.result["signature"], "whoever doubts it can prove it again"
    for by, signature in ((ONE, KEY.sign(whole)), (OTHER, KEY.sign(whole)), (OTHER, None)):
        with pytest.raises(Refused, match=r"taken in by clerk-1 as file 2"):
            await taken(stocked_exchange, by, whole, signature)


async def test_a_signature_proves_what_one_person_has_entered_before(stocked_exchange: SmallExchange) -> None:
    await registered(stocked_exchange)
    await taken(stocked_exchange, ONE, statement(BARS[0]), None)
    await taken(stocked_exchange, ONE, statement(*BARS), None)
    assert await is_open(stocked_exchange)
    await taken(stocked_exchange, ONE, statement(*BARS), KEY.sign(statement(*BARS)))
    assert not await is_open(stocked_exchange)


async def test_a_wrong_or_foreign_signature_is_refused(stocked_exchange: SmallExchange) -> None:
    data = statement(*BARS)
    await taken(stocked_exchange, ONE, statement(BARS[0]), None)

    async def why(signature: bytes, data: bytes = data, place: str = "XM1") -> str:
        lines = statement_file.read(sheets.read(data), Reading())
        about = (ONE, place, today(), "s.csv", data, lines, signature)
        return await refused(stocked_exchange, "WRONG_SIGNATURE", warehouse_statement.take_in, *about)

    nobody = "no registered key has made this signature over these bytes: ask XM1 for the file and its signature"
    assert await why(KEY.sign(data)) == nobody
    proposal = await do(stocked_exchange, warehouse_keys.propose, ONE, "XM1", public_pem(KEY), WHY)
    assert await why(KEY.sign(data)) == "the signature is by key 1 of XM1, which nobody has approved yet"
    await stocked_exchange.approve(proposal)
    await registered(stocked_exchange, "XM2", OTHER_KEY)
    foreign = "the signature is by key 2 of XM2, and the statement is to be one of XM1"
    assert await why(OTHER_KEY.sign(data)) == foreign
    assert await why(KEY.sign(data), data + b"\n") == nobody, "it covers every byte"
    assert await why(bytes(64)) == nobody
    await do(stocked_exchange, warehouse_keys.end, OTHER, 1, "the clerk of XM1 has left")
    ended = "the signature is by key 1 of XM1, which has ended: the clerk of XM1 has left"
    assert await why(KEY.sign(data)) == ended
    assert await is_open(stocked_exchange)
    await refused(stocked_exchange, "ILLEGAL_STEP", warehouse_keys.end, ONE, 1, "again")


async def test_a_signature_is_good_for_the_day_that_the_file_says(stocked_exchange: SmallExchange) -> None:
    """An old statement, or the venue's own count list, counts as no new one even if the warehouse signs it."""
    await registered(stocked_exchange)
    await taken(stocked_exchange, ONE, statement(BARS[0], day=""), None)
    yesterday = f"{today() - timedelta(days=1)}"
    old, mixed = statement(*BARS, day=yesterday), statement(*BARS) + f"\nHX,Z1,2024,1.00,999.00,{yesterday}".encode()
    for data in (old, mixed):
        for signature in (KEY.sign(data), None):
            with pytest.raises(BadValue, match=f"day: .* the day that the file says it is of, {yesterday}"):
                await taken(stocked_exchange, OTHER, data, signature)
    count = await do(stocked_exchange, bar_export.count_list, "XM1", "csv")
    half = statement(BARS[0]) + b"\n" + BARS[1].encode() + b","
    for data in (count, statement(*BARS, day=""), half):
        with pytest.raises(BadValue, match=r"day: .* the column `day` of a signed file says in every row"):
            await taken(stocked_exchange, OTHER, data, KEY.sign(data))
    assert await is_open(stocked_exchange)


async def test_of_two_signed_statements_of_one_day_two_people_take_in_the_second(
    stocked_exchange: SmallExchange,
) -> None:
    await registered(stocked_exchange)
    evening, morning = statement(BARS[0]), statement(*BARS)
    await taken(stocked_exchange, ONE, evening, KEY.sign(evening))
    with pytest.raises(Refused, match=r"file 1 is a signed statement of XM1 .* entered by two people"):
        await taken(stocked_exchange, ONE, morning, KEY.sign(morning))
    for by in (ONE, OTHER):
        assert await is_open(stocked_exchange)
        await taken(stocked_exchange, by, morning, None)
    assert not await is_open(stocked_exchange)
    past = statement(*BARS, day=f"{today() - timedelta(days=1)}")
    with pytest.raises(Refused, match=r"newer than"):
        await taken(stocked_exchange, ONE, past, KEY.sign(past), back=1)


async def test_two_people_register_a_key_that_nobody_else_has(stocked_exchange: SmallExchange) -> None:
    propose = (warehouse_keys.propose, ONE)
    proposal = await do(stocked_exchange, *propose, "XM1", public_pem(KEY), WHY)
    with pytest.raises(Refused, match=r"is proposed by clerk-1"):
        await do(stocked_exchange, movements.approve, ONE, proposal)
    await do(stocked_exchange, movements.decline, ONE, proposal)
    await registered(stocked_exchange)
    await do(stocked_exchange, warehouse_keys.end, ONE, 2, "lost")
    clerks, members = Key.generate("clerk"), Key.generate("member")
    async with stocked_exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "M1", "Member one")
        await registry.add_key(connection, "test", "M1.key", members.public_bytes, member_code="M1")
        await registry.add_key(
            connection, "test", "C1.key", clerks.public_bytes, staff_code=ONE, permissions=["settle"]
        )
    for key in (KEY, clerks, members):
        for place in ("XM1", "XM2"):
            with pytest.raises(BadValue, match=fingerprint(key.public_bytes)):
                await do(stocked_exchange, *propose, place, public_pem(key), WHY)
    other = public_pem(OTHER_KEY)
    for place, pem, why in (("XM9", other, WHY), ("XM1", "a key", WHY), ("XM1", other, "")):
        with pytest.raises(BadValue, match=r"warehouse|public_key|reason"):
            await do(stocked_exchange, *propose, place, pem, why)
    with pytest.raises(BadValue, match="no warehouse signs"):
        await do(stocked_exchange, registry.add_key, "test", "M1.key-2", KEY.public_bytes, member_code="M1")


@pytest.mark.usefixtures("stocked_exchange", "configured_database")
async def test_keys_and_signatures_from_the_command_line() -> None:
    Path("xm1.pub").write_text(public_pem(KEY))
    await clerk(ONE, "warehouse-key", "propose", "XM1", "--public-key", "xm1.pub", "--reason", WHY)
    waiting = (await clerk(OTHER, "proposals")).splitlines()
    (number,) = [line.split("\t")[0] for line in waiting if fingerprint(KEY.public_bytes) in line]
    await clerk(OTHER, "approve", number)
    listed = f"1\tXM1\tLIVE\t{fingerprint(KEY.public_bytes)}\t{WHY}\t-\n"
    assert (await clerk(ONE, "warehouse-key", "list")).endswith(f"\n{listed}")
    Path("s.csv").write_bytes(statement(*BARS))
    Path("s.sig").write_bytes(KEY.sign(statement(*BARS)))
    Path("bad.sig").write_bytes(b"a signature")
    words = ("statement", "s.csv", "--warehouse", "XM1", "--signature")
    assert 'signature: "11 bytes" is not allowed' in await clerk(ONE, *words, "bad.sig", code=1)
    for more in ((), ("--preview",)):
        Path("wrong.sig").write_text(OTHER_KEY.sign(statement(*BARS)).hex())
        assert "no registered key" in await clerk(ONE, *words, "wrong.sig", *more, code=1)
    for more in (("--preview",), ()):
        output = await clerk(ONE, *words, "s.sig", *more)
        assert "signed with key 1 of XM1\n" in output
        assert "another person" not in output
    assert "key 1 has ended" in await clerk(ONE, "warehouse-key", "end", "1", "--reason", "lost")
    assert "\tENDED\t" in await clerk(ONE, "warehouse-key", "list")
    assert "which has ended: lost" in await clerk(ONE, *words, "s.sig", "--preview", code=1)


async def test_keys_and_signatures_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.issue([{"serial": "A1"}, {"serial": "A2"}])
    request = {"warehouse": "XM1", "public_key": public_pem(KEY), "reason": WHY}
    await rest("auditor", "POST", "/warehouse-keys", 403, json=request)
    number = (await rest(ONE, "POST", "/warehouse-keys", json=request))["proposal"]
    (waiting,) = (await rest("auditor", "GET", "/proposals"))["proposals"]
    assert waiting["summary"]["fingerprint"] == fingerprint(KEY.public_bytes)
    await rest(OTHER, "POST", f"/proposals/{number}/approve")
    (key,) = (await rest("auditor", "GET", "/warehouse-keys"))["keys"]
    assert (key["status"], key["fingerprint"]) == ("LIVE", fingerprint(KEY.public_bytes))
    short, whole = statement(BARS[0]), statement(*BARS)
    await rest(ONE, "POST", "/statements/XM1", content=short)
    wrong = {"signature": KEY.sign(short).hex()}
    for path in ("/statements/XM1", "/statements/XM1/preview"):
        problem = await rest(ONE, "POST", path, 409, content=whole, params=wrong)
        assert problem["reason"] == "WRONG_SIGNATURE"
        await rest(ONE, "POST", path, 422, content=whole, params={"signature": "00"})
    right = {"signature": KEY.sign(whole).hex()}
    assert (await rest("auditor", "POST", "/statements/XM1/preview", content=whole, params=right))["signed_by"] == 1
    assert (await rest(ONE, "POST", "/statements/XM1", content=whole, params=right))["signed_by"] == 1
    assert (await rest("auditor", "GET", "/breaks"))["breaks"] == []
    await rest("auditor", "POST", "/warehouse-keys/1/end", 403, json={"reason": "lost"})
    await rest(ONE, "POST", "/warehouse-keys/1/end", json={"reason": "lost"})
    assert (await rest(ONE, "POST", "/warehouse-keys/1/end", 409, json={"reason": "lost"}))["reason"] == "ILLEGAL_STEP"
