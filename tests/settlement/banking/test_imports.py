"""Statements taken in: each follows the one before, nothing counts twice, a gap or a contradiction is named."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from goldx.protocol.units import BadValue
from settlement.banking import accounts, camt, chain, imports, profiles, swift, tables
from settlement.banking.statements import BankStatement
from settlement.base.refusal import Refused
from settlement.tables.banking import bank_entry, bank_item, bank_statement
from settlement.tables.intake import file
from settlement.workbooks import formats
from settlement.workbooks.formats import Stated
from tests.settlement.banking.mock_bank import ACCOUNT, Day, MockBank, Payment
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused

FORMATS = ("MT940", "camt", "table")


def statements(bank: MockBank, form: str, days: Sequence[Day]) -> list[BankStatement]:
    if form == "table":
        icbc = profiles.find("icbc")
        return tables.read(formats.parse(bank.icbc(*days), Stated(headings=icbc.headings)), icbc)
    return swift.read(bank.mt940(*days)) if form == "MT940" else camt.read(bank.camt(*days))


async def take(exchange: SmallExchange, data: bytes, found: list[BankStatement]) -> imports.ImportedFile:
    return await do(exchange, imports.take_in, ONE, "file", data, found)


async def count(exchange: SmallExchange, *tables_: Any) -> list[int]:
    async with exchange.engine.connect() as connection:
        return [int(await connection.scalar(select(func.count()).select_from(table)) or 0) for table in tables_]


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(st.lists(st.sampled_from([1, 2, 100, -1, -2, -100]), max_size=4), min_size=2, max_size=6),
    parts=st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6), st.sampled_from(FORMATS)), max_size=8),
)
def test_whatever_lists_come_in_whatever_order_every_entry_counts_once(
    days: list[list[int]], parts: list[tuple[int, int, str]]
) -> None:
    """Lists that follow or overlap are taken in; the others are refused; the account is always the bank's own."""
    bank = MockBank(1_000)
    for amounts in days:
        bank.book(*(Payment(amount) for amount in amounts))
    account = chain.ChainedAccount("A", None, None, [])
    for first, length, form in [(0, 1, "MT940"), *parts]:
        chosen = bank.days[first : first + length]
        if not any(day.bookings for day in chosen):
            continue
        before = list(account.entries)
        for found in statements(bank, form, chosen):
            with contextlib.suppress(Refused):
                account.add(found)
        assert account.entries[: len(before)] == before
        left = 0
        for day in bank.days:
            real = Counter(payment.amount_fen for booking in day.bookings for payment in booking)
            kept = Counter(entry.amount_fen for entry in account.entries if entry.day == day.day)
            assert kept in (real, Counter())
            if account.last_day is not None and account.entries[0].day <= day.day <= account.last_day and not kept:
                left += day.closing_fen - day.opening_fen
            if account.last_day == day.day:
                assert account.closing_fen == day.closing_fen
        # Only days that moved nothing in sum can be left out without a gap between the balances.
        assert left == 0


async def test_a_file_twice_and_the_same_days_in_other_formats_change_nothing(exchange: SmallExchange) -> None:
    bank = MockBank(10_000)
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow", "icbc")
    bank.book(Payment(500, "A.H", "Member A"), (Payment(100, "X"), Payment(200, "Y")))
    bank.book(Payment(-500, "A.H", reversal=True), Payment(7))
    outcome = await take(exchange, bank.camt(*bank.days), statements(bank, "camt", bank.days))
    assert [(taken.new, taken.entries, taken.known) for taken in outcome.statements] == [(2, 2, False)] * 2
    before = await count(exchange, file, bank_statement, bank_entry, bank_item)
    assert before == [1, 2, 4, 5]
    for form in FORMATS:
        again = await take(exchange, form.encode(), statements(bank, form, bank.days))
        assert again.file_no is None
        assert [(taken.new, taken.known) for taken in again.statements] == [(0, True)] * len(again.statements)
    assert await count(exchange, file, bank_statement, bank_entry, bank_item) == before


async def test_a_longer_list_adds_what_is_new(exchange: SmallExchange) -> None:
    bank = MockBank(10_000)
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    for amount in (100, 200, 300):
        bank.book(Payment(amount), Payment(-1))
    await take(exchange, b"1", statements(bank, "MT940", bank.days[:2]))
    outcome = await take(exchange, b"2", statements(bank, "table", bank.days))
    assert [(taken.new, taken.entries) for taken in outcome.statements] == [(2, 6)]
    (last,) = (await do(exchange, imports.listing))[2:]
    assert (last.opening_fen, last.closing_fen, last.entries) == (10_298, 10_597, 2)


async def test_a_gap_and_a_contradiction_are_named_and_change_nothing(exchange: SmallExchange) -> None:
    bank = MockBank(10_000)
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    for amount in (100, 200, 300):
        bank.book(Payment(amount))
    await take(exchange, b"1", statements(bank, "MT940", bank.days[:1]))
    third = statements(bank, "camt", bank.days[2:])
    why = await refused(exchange, "STATEMENT_GAP", imports.take_in, ONE, "file", b"3", third)
    assert "begins with 103.00; the one before ended on 2026-11-23 with 101.00: what moved 2.00 in between" in why
    other = MockBank(10_000)
    other.book(Payment(60), Payment(40))
    same_sum = statements(other, "camt", other.days)
    why = await refused(exchange, "STATEMENT_DIFFERS", imports.take_in, ONE, "file", b"4", same_sum)
    assert "has not 1.00 of 2026-11-23 (B2611230001), which was taken in" in why
    assert await count(exchange, file, bank_statement, bank_entry) == [1, 1, 1]


async def test_statements_of_one_day_follow_one_another(exchange: SmallExchange) -> None:
    """The second has the same amounts, and another number of the bank's: it is no copy of the first."""
    await do(exchange, accounts.add, ONE, "123456", "ICBC Xiamen", "Venue escrow")
    one = (
        ":20:{0}\n:25:ICBK/123456CNY\n:28C:{0}\n:60F:C260101CNY100,\n:61:2601020102C12,NTRF1//A{0}\n"
        ":61:2601020102D12,NTRF1//B{0}\n:62F:C260102CNY100,\n"
    )
    for number in (1, 2):
        data = one.format(number).encode()
        (taken,) = (await take(exchange, data, swift.read(data))).statements
        assert (taken.new, taken.known) == (2, False)
        assert (await take(exchange, data, swift.read(data))).statements[0].known


async def test_a_report_is_kept_and_counts_for_nothing(exchange: SmallExchange) -> None:
    bank = MockBank(0)
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    day = bank.book(Payment(500, "A.H"))
    for message in ("054", "052"):
        data = bank.camt(day, message=message)
        assert [taken.new for taken in (await take(exchange, data, camt.read(data))).statements] == [1]
        assert (await take(exchange, data, camt.read(data))).file_no is None
    (taken,) = (await take(exchange, b"x", statements(bank, "camt", [day]))).statements
    assert (taken.new, taken.known) == (1, False)


async def test_only_the_venues_accounts_in_yuan_are_taken(exchange: SmallExchange) -> None:
    bank = MockBank(0)
    found = statements(bank, "camt", [bank.book(Payment(500))])
    with pytest.raises(BadValue, match="a bank account of the venue"):
        await take(exchange, b"1", found)
    await do(exchange, accounts.add, ONE, "3502 0000 1234 56789", "ICBC Xiamen", "Venue escrow")
    with pytest.raises(BadValue, match="an account that is not added yet"):
        await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    with pytest.raises(BadValue, match="CNY, the currency of account"):
        await take(exchange, b"1", [found[0]._replace(currency="USD")])
    with pytest.raises(BadValue, match="profile"):
        await do(exchange, accounts.add, ONE, "4444", "Bank", "Venue", "nobody")
    assert (await take(exchange, b"1", found)).file_no == 1


async def test_the_database_keeps_statements_as_they_are_and_refuses_one_that_does_not_add_up(
    exchange: SmallExchange,
) -> None:
    bank = MockBank(0)
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    await take(exchange, b"1", statements(bank, "camt", [bank.book(Payment(500))]))
    for table in ("bank_account", "bank_statement", "bank_entry", "bank_item"):
        with pytest.raises(DBAPIError, match=r"append-only|it is kept"):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(f"DELETE FROM {table}"))
    for column in ("closing_fen", "unclear_reversals"):
        with pytest.raises(DBAPIError, match="a statement stays as it was taken in"):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(f"UPDATE bank_statement SET {column} = {column}"))
    columns = (
        "account_id, file_no, format, kind, stated_id, first_day, last_day, entries, notes, taken_at, taken_by, "
        "unclear_reversals"
    )
    copied = (
        f"INSERT INTO bank_statement ({columns}, opening_fen, closing_fen) SELECT {columns}, 0, 0 FROM bank_statement"
    )
    with pytest.raises(DBAPIError, match="it has 1 entries, 0 are kept"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text(copied))


@pytest.mark.usefixtures("configured_database", "exchange")
async def test_a_clerk_takes_in_the_banks_files(tmp_path: Path) -> None:
    bank = MockBank(10_000)
    bank.book(Payment(500, "A.H", "厦门某某珠宝", "6222", "货款"))
    bank.book(Payment(-200, "FEE"))
    assert "icbc\t中国工商银行" in await clerk(ONE, "bank", "profiles")
    added = await clerk(ONE, "bank", "add-account", ACCOUNT, "--bank", "ICBC", "--holder", "Venue", "--profile", "icbc")
    assert added == f"bank account 1: {ACCOUNT} at ICBC\n"
    (tmp_path / "1.csv").write_bytes(bank.icbc(bank.days[0]))
    preview = await clerk(ONE, "bank", "import", "1.csv", "--preview")
    assert f"-\t{ACCOUNT}\tBOOKED\tCSV\t-\t2026-11-23\t2026-11-23\t100.00\t105.00\t1\t1\tno\t" in preview
    assert "line 5: no entry: 合计" in preview
    assert "encoding gb18030: the headings in line 3 are known ones in it, such as" in preview
    stated = await clerk(ONE, "bank", "import", "1.csv", "--preview", "--encoding", "big5", code=1)
    assert "is not big5 text" in stated or "heading" in stated
    assert preview.endswith("1 statements, 1 new entries: nothing was changed\n")
    assert "kept as file 1" in await clerk(ONE, "bank", "import", "1.csv")
    (tmp_path / "2.sta").write_bytes(bank.mt940(*bank.days))
    taken = await clerk(ONE, "bank", "import", "2.sta")
    assert "105.00\t1\t0\tyes\t" in taken
    assert "\n2\t" in taken
    assert "\t1\t1\tno\t" in taken
    assert "nothing was changed" in await clerk(ONE, "bank", "import", "2.sta")
    assert "103.00" in (await clerk(ONE, "bank", "statements")).splitlines()[2]
    shown = await clerk(ONE, "bank", "statement", "1")
    assert "opening_cny\t100.00\nclosing_cny\t105.00\n" in shown
    assert "notes:\nnote\nline 5: no entry: 合计" in shown
    headings, *entries = (await clerk(ONE, "bank", "entries", "--statement", "1")).splitlines()
    assert headings.split("\t")[3:6] == ["day", "amount_cny", "reversal"]
    assert entries == ["1\t1\t1\t2026-11-23\t5.00\tno\tno\tB2611230001\t-\t厦门某某珠宝\t6222\t-\t货款"]
    (tmp_path / "3.csv").write_bytes(bank.icbc(bank.days[0]).replace(b'"5.00"', b'"6.00"'))
    assert "line 5, credit" not in await clerk(ONE, "bank", "import", "3.csv", code=1)
    (tmp_path / "own.toml").write_text((profiles.FOLDER / "icbc.toml").read_text())
    again = ("bank", "import", "1.csv", "--profile", "own.toml", "--preview", "--json")
    assert json.loads(await clerk(ONE, *again))["statements"][0]["known"] is True
    assert "a file, or one of abc" in await clerk(ONE, "bank", "import", "1.csv", "--profile", "own", code=1)


async def test_the_banks_files_over_rest(rest: Rest) -> None:
    bank = MockBank(10_000)
    bank.book(Payment(500, "A.H", "Member A"))
    account = {"account_number": ACCOUNT, "bank": "ICBC", "holder": "Venue", "profile": "icbc"}
    assert await rest(ONE, "POST", "/bank-accounts", json=account) == {"account_id": 1}
    data = bank.icbc(*bank.days)
    previewed = await rest("auditor", "POST", "/bank-statements/preview", content=data)
    assert (previewed["file"], previewed["statements"][0]["new"]) == (None, 1)
    assert previewed["as_read"]["rows"][0]["cells"]["credit"] == "5.00"
    assert (await rest("auditor", "POST", "/bank-statements", 403, content=data))["reason"] == "NOT_PERMITTED"
    taken = await rest(ONE, "POST", "/bank-statements", content=data, params={"name": "1.csv"})
    assert (taken["file"], taken["statements"][0]["opening"]) == (1, "100.00")
    assert (await rest(ONE, "POST", "/bank-statements", content=bank.camt(*bank.days)))["file"] is None
    found = await rest("auditor", "GET", "/bank-statements/1")
    assert (found["closing"], found["entries"], found["kind"]) == ("105.00", 1, "BOOKED")
    (item,) = (await rest("auditor", "GET", "/bank-entries", params={"statement": 1}))["payments"]
    assert (item["amount"], item["name"], item["day"]) == ("5.00", "Member A", "2026-11-23")
    gone = bank.camt(*bank.days).replace(b">5.00<", b">5.50<")
    wrong = await rest(ONE, "POST", "/bank-statements", 422, content=gone)
    assert wrong["errors"][0]["column"] == "balance"
    bank.book(Payment(1))
    bank.book(Payment(2))
    gap = await rest(ONE, "POST", "/bank-statements", 409, content=bank.camt(bank.days[2]))
    assert gap["reason"] == "STATEMENT_GAP"
