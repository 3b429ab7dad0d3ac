"""Files of banks as statements: every format says the same of the same account, and nothing is lost or guessed."""

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from goldx.protocol.units import BadValue
from settlement.banking import camt, files, profiles, reader, swift, tables
from settlement.banking.statements import BOOKED, NOTICE, REPORT, BankStatement
from settlement.workbooks import formats
from settlement.workbooks.cells import BadFile
from settlement.workbooks.formats import Stated
from tests.settlement.banking.mock_bank import ACCOUNT, MONDAY, Booking, MockBank, Payment

ICBC = profiles.find("icbc")
WORDS = st.text("ABCxyz019 厦门金", min_size=0, max_size=12).map(str.strip)
AMOUNTS = st.integers(1, 10**13)


@st.composite
def payments(draw: st.DrawFn) -> Booking:
    """One payment, or a batch of the same sign."""
    sign, reversal = draw(st.sampled_from([1, -1])), draw(st.booleans())
    amounts = draw(st.lists(AMOUNTS, min_size=1, max_size=1 if reversal else 3))
    name, text = draw(WORDS), draw(WORDS)
    return tuple(
        Payment(sign * fen, f"R{place}", name, "62220001", text, reversal) for place, fen in enumerate(amounts)
    )


DAYS = st.lists(st.lists(payments(), min_size=1, max_size=4), min_size=1, max_size=4)


def table(data: bytes) -> list[BankStatement]:
    return tables.read(formats.parse(data, Stated(headings=ICBC.headings)), ICBC)


def movements(statements: list[BankStatement]) -> list[tuple[Any, ...]]:
    return [(e.day, e.amount_fen, e.reversal, e.bank_reference) for s in statements for e in s.entries]


def errors(read: Callable[[], object]) -> str:
    with pytest.raises(BadFile) as found:
        read()
    return str(found.value)


@settings(max_examples=30, deadline=None)
@given(days=DAYS, opening=st.integers(-(10**13), 10**13), version=st.integers(2, 13), turned=st.booleans())
def test_every_format_says_the_same(days: list[list[Booking]], opening: int, version: int, turned: bool) -> None:
    bank = MockBank(opening)
    for bookings in days:
        bank.book(*bookings)
    expected = [
        (day.day, sum(payment.amount_fen for payment in booking), booking[0].reversal, bank.number(day, place))
        for day in bank.days
        for place, booking in enumerate(day.bookings, 1)
    ]
    in_swift, in_camt = swift.read(bank.mt940(*bank.days)), camt.read(bank.camt(*bank.days, version=version))
    in_table = table(bank.icbc(*bank.days, newest_first=turned))
    for found in (in_swift, in_camt, in_table):
        assert movements(found) == expected
        assert (found[0].opening_fen, found[-1].closing_fen) == (opening, bank.balance_fen)
        assert {statement.currency for statement in found} == {"CNY"}
        assert {statement.kind for statement in found} == {BOOKED}
    assert [len(statement.entries) for statement in in_swift] == [len(day.bookings) for day in bank.days]
    parts = [[item.amount_fen for item in entry.items] for statement in in_camt for entry in statement.entries]
    assert parts == [[one.amount_fen for one in booking] for day in bank.days for booking in day.bookings]
    # If a reversal has the direction of the reversed entry the balances show it, else they hold as written.
    for statement in camt.read(bank.camt(*bank.days, version=version, turned=True)):
        assert statement.opening_fen is not None
        assert statement.opening_fen + statement.moved_fen == statement.closing_fen


@settings(max_examples=30, deadline=None)
@given(days=DAYS, place=st.integers(0, 10**6), digit=st.sampled_from("0123456789"), form=st.sampled_from([0, 1, 2]))
def test_a_digit_changed_in_an_amount_is_noticed(days: list[list[Booking]], place: int, digit: str, form: int) -> None:
    """Whatever is damaged, the file is refused, or it says of the account what it said before."""
    bank = MockBank(10**12)
    for bookings in days:
        bank.book(*bookings)
    write, read = ((bank.mt940, swift.read), (bank.camt, camt.read), (bank.icbc, table))[form]
    data = bytearray(write(*bank.days))
    before = movements(read(bytes(data)))
    digits = [at for at, byte in enumerate(data) if chr(byte).isdigit() and data[at - 1 : at] not in (b"B",)]
    data[digits[place % len(digits)]] = ord(digit)
    try:
        found = read(bytes(data))
    except BadFile:
        return
    assert [fen for _, fen, _, _ in movements(found)] == [fen for _, fen, _, _ in before]


def test_a_reversed_credit_takes_money_out_and_an_entry_without_a_type_is_no_part_of_the_next() -> None:
    (found,) = swift.read(
        b"{1:F01ICBKCNBJAXXX}{2:I940}{4:\n:20:S1\n:25:ICBK/123456\n:28C:7/1\n:60F:C260101CNY100,00\n"
        b":61:2601020102RC12,5\n:86:taken back\nmore\n:61:2601020102D1,NTRFREF//BANK-1\nsup\n:86:fee\n"
        b":61:2601020102RD3,NTRFNONREF\n:62F:C260102CNY89,50\n:86:about the whole\n-}{5:{CHK:1}}\n"
    )
    assert [(entry.amount_fen, entry.reversal) for entry in found.entries] == [
        (-1250, True),
        (-100, False),
        (300, True),
    ]
    assert [entry.items[0].text for entry in found.entries] == ["taken back more", "sup fee", ""]
    assert (found.entries[1].bank_reference, found.entries[1].items[0].reference) == ("BANK-1", "REF")
    assert found.entries[2].items[0].reference == ""
    assert found.notes == ("line 14: about the statement: about the whole",)
    assert (found.stated_id, found.account) == ("7", "ICBK/123456")


def test_pages_of_mt940_are_one_statement_and_statements_stay_apart() -> None:
    page = ":20:S{0}\n:25:123456\n:28C:1/{0}\n:60{1}:C260101CNY{2},\n:61:2601020102C12,NTRF1\n:62{3}:C260102CNY{4},\n"
    first, second = page.format(1, "F", 100, "M", 112), page.format(2, "M", 112, "F", 124)
    (found,) = swift.read((first + second).encode())
    assert (found.opening_fen, found.closing_fen, len(found.entries)) == (10_000, 12_400, 2)
    assert len(swift.read((page.format(1, "F", 100, "F", 112) + page.format(2, "F", 112, "F", 124)).encode())) == 2
    wrong = errors(lambda: swift.read((first + page.format(2, "M", 113, "F", 125)).encode()))
    assert "line 7, 60M: the page before closes account 123456 with 112.00" in wrong


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((":61:2601020102C12,NTRF1", ":61:2601020102C1x,NTRF1"), "line 5, 61: '2601020102C1x,NTRF1' cannot be read"),
        ((":61:2601020102C12,NTRF1", ":61:2602300230C12,NTRF1"), "line 5, 61"),
        ((":61:2601020102C12,NTRF1", ":61:2601020102EC12,NTRF1"), "line 5, 61"),
        (
            (":61:2601020102C12,NTRF1", ":61:2601020102C12,005NTRF1"),
            'line 5, 61: amount: "12.005" is not allowed; it must be an amount of money',
        ),
        ((":60F:C260101CNY100,", ":60F:C260101CNY"), "line 4, 60F"),
        ((":62F:C260102CNY112,", ":62F:C260102CNY113,"), "make 112.00, the closing balance is 113.00"),
        ((":62F:C260102CNY112,", ""), "no opening or no closing balance"),
        ((":25:123456", ""), "it does not name the account"),
        ((":28C:1/1", ":27:1/1"), "line 3, line: .:27:1/1. belongs to no tag of MT940"),
        ((":28C:1/1", "some words"), "belongs to no tag of MT940"),
        ((":62F:C260102CNY112,", ":62F:C260102CNY112,\n:61:2601020102C12,NTRF1"), "stands after the closing balance"),
    ],
)
def test_what_cannot_be_read_of_mt940_is_named(change: tuple[str, str], why: str) -> None:
    text = ":20:S1\n:25:123456\n:28C:1/1\n:60F:C260101CNY100,\n:61:2601020102C12,NTRF1\n:62F:C260102CNY112,\n"
    assert len(swift.read(text.encode())) == 1
    with pytest.raises(BadFile, match=why):
        swift.read(text.replace(*change).encode())


def test_mt942_and_camt_052_and_054_are_no_statements_of_booked_entries() -> None:
    bank = MockBank(0)
    day = bank.book(Payment(500, "A.H"), (Payment(100, "X"), Payment(200, "Y")))
    (report,) = swift.read(b":20:S\n:25:123\n:28C:1/1\n:34F:CNY0,\n:13D:2601021200+0800\n:61:260102C5,NTRFA\n")
    assert (report.kind, report.format, report.opening_fen, report.entries[0].amount_fen) == (
        REPORT,
        "MT942",
        None,
        500,
    )
    for message, kind in (("052", REPORT), ("054", NOTICE)):
        (found,) = camt.read(bank.camt(day, message=message))
        assert (found.kind, found.format) == (kind, f"camt.{message}.001.08")
        assert [item.reference for entry in found.entries for item in entry.items] == ["A.H", "X", "Y"]


def test_a_batch_whose_payments_give_no_amounts_is_one_payment_and_says_so() -> None:
    bank = MockBank(0)
    day = bank.book((Payment(100, "X"), Payment(200, "Y")))
    data = bank.camt(day).replace(b'<Amt Ccy="CNY">1.00</Amt><CdtDbtInd>', b"<CdtDbtInd>")
    (found,) = camt.read(data)
    assert [(entry.amount_fen, len(entry.items)) for entry in found.entries] == [(300, 1)]
    assert "its 2 payments do not give amounts that make 3.00" in found.notes[0]


def test_the_number_of_a_batch_is_the_reference_where_its_payments_have_none() -> None:
    bank = MockBank(0)
    day = bank.book(Payment(100))
    data = bank.camt(day).replace(b"<NtryDtls>", b"<NtryDtls><Btch><PmtInfId>W-7</PmtInfId></Btch>")
    assert camt.read(data)[0].entries[0].items[0].reference == "W-7"


def test_who_paid_and_to_which_virtual_account_is_read_and_why_a_payment_came_back() -> None:
    bank = MockBank(0)
    day = bank.book(
        Payment(100, "E-1", "Member A & Co", "62220001", "for A.H", virtual_account=f"{ACCOUNT}007"),
        Payment(50, "E-2", "B", "62220002", reason="AC04"),
    )
    entries = camt.read(bank.camt(day))[0].entries
    assert entries[0].items[0] == (100, "E-1", "Member A & Co", "62220001", f"{ACCOUNT}007", "for A.H")
    assert [entry.code for entry in entries] == ["TRF", "AC04"]


def test_an_entry_that_is_not_booked_is_noted_and_does_not_count() -> None:
    bank = MockBank(0)
    day = bank.book(Payment(100, "X"))
    pending = (
        b'<Ntry><Amt Ccy="CNY">9.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts>'
        b"<ValDt><Dt>2026-11-24</Dt></ValDt></Ntry></Stmt>"
    )
    (found,) = camt.read(bank.camt(day).replace(b"</Stmt>", pending))
    assert len(found.entries) == 1
    assert "9.00 is not booked (PDNG)" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((b">5.00<", b">5,00<"), "'5,00' is no amount of money"),
        ((b">5.00<", b">5.005<"), "with at most 2 decimals"),
        ((b">5.00<", b"><"), "'' is no amount of money"),
        ((b"</GrpHdr>", b"</GrpHdr><Stmt><Id>1</Id></Stmt>"), "Acct/Id: it does not name the account"),
        ((b"CRDT</CdtDbtInd><Sts>", b"X</CdtDbtInd><Sts>"), "CdtDbtInd: 'X' must be CRDT or DBIT"),
        ((b"<BookgDt><Dt>2026-11-23", b"<BookgDt><Dt>2026-11-32"), "BookgDt: '2026-11-32' is no date"),
        ((b'<Ntry><Amt Ccy="CNY">', b'<Ntry><Amt Ccy="USD">'), "an entry in 'USD' on an account in 'CNY'"),
        ((b"OPBD", b"XPCD"), "no opening or no closing balance"),
        (
            (b"<Bal>", b"<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry><Bal>"),
            "counts 2 entries",
        ),
        ((b"BkToCstmrStmt>", b"CstmrCdtTrfInitn>"), "Document is no statement of an account"),
        ((b"</Document>", b""), "it is no readable XML"),
        ((b"<Document", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Document'), "it has a document type"),
    ],
)
def test_what_cannot_be_read_of_camt_is_named(change: tuple[bytes, bytes], why: str) -> None:
    bank = MockBank(0)
    data = bank.camt(bank.book(Payment(500, "A.H")))
    assert change[0] in data
    assert why in errors(lambda: camt.read(data.replace(*change)))


def test_the_table_of_a_chinese_bank_is_read_with_its_titles_and_totals() -> None:
    bank = MockBank(123_456)
    day = bank.book(
        Payment(1_234_567_89, "", "厦门某某珠宝有限公司", "62220001", "货款 A.H"),
        Payment(-5_000, "", "手续费", "", "电子汇划费"),
        Payment(-1_000, "", "厦门某某珠宝有限公司", "62220001", "冲正", reversal=True),
    )
    (found,) = table(bank.icbc(day))
    assert (found.account, found.currency, found.format) == (ACCOUNT, "CNY", "CSV")
    assert [(entry.amount_fen, entry.reversal) for entry in found.entries] == [
        (123_456_789, False),
        (-5_000, False),
        (-1_000, True),
    ]
    item = found.entries[0].items[0]
    assert (item.name, item.account, item.text) == ("厦门某某珠宝有限公司", "62220001", "货款 A.H")
    assert found.notes[0].startswith("line 7: no entry: 合计")
    assert "the total is 1,000.00" not in errors(lambda: table(bank.icbc(day).replace(b"50.00", b"51.00")))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            ('"100.00","110.00"', '"1O0.00","110.00"'),
            'line 4, credit: credit: "1O0.00" is not allowed; it must be an amount',
        ),
        (('"100.00","110.00"', '"","110.00"'), "line 4, amount"),
        (('"100.00","110.00"', '"100.00",""'), "line 4, balance"),
        (('"100.00","110.00"', '"100.00","111.00"'), "line 4, balance|line 5, balance"),
        (('"2026-11-23 10:00:01"', '"23.11."'), 'line 4, day: day: "23.11." is not allowed; it must be a date such as'),
        (('"合计","5.00"', '"合计","6.00"'), "line 6, debit: the total is 6.00, the rows above make 5.00"),
        (('"合计","5.00"', '"余额合计","5.00"'), "line 6, amount"),
        (("交易时间", "时间"), "no row is the heading of profile icbc: there is no day"),
        (("账号：", "户名："), "the table does not say which account it is of"),
    ],
)
def test_what_cannot_be_read_of_a_table_is_named(change: tuple[str, str], why: str) -> None:
    bank = MockBank(1_000)
    text = bank.icbc(bank.book(Payment(10_000), Payment(-500))).decode("gb18030")
    assert change[0] in text
    with pytest.raises(BadFile, match=why):
        table(text.replace(*change).encode("gb18030"))


def test_a_workbook_is_read_by_the_same_profile_and_number_cells_keep_their_fen() -> None:
    book = Workbook()
    assert book.active is not None
    for row in (
        ["账号", ACCOUNT],
        ["交易时间", "借方发生额", "贷方发生额", "余额", "流水号", "摘要"],
        [date(2026, 11, 23), None, 0.1, 0.1, "1", "a"],
        [date(2026, 11, 23), None, 0.2, 0.1 + 0.2, "2", "b"],
        ["合计", 0, 0.1 + 0.2, None, None, None],
    ):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    (found,) = files.read(out.getvalue(), ICBC).statements
    assert (found.format, [entry.amount_fen for entry in found.entries], found.closing_fen) == ("XLSX", [10, 20], 30)
    assert found.first_day == MONDAY


def test_a_cell_without_a_value_is_no_empty_one() -> None:
    book = Workbook()
    assert book.active is not None
    for row in (
        ["账号", ACCOUNT],
        ["交易时间", "借方发生额", "贷方发生额", "余额"],
        ["2026-11-23", "=A1", 1, 1],
        ["2026-11-23", None, 1, 2],
    ):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    assert "line 3, debit: B3, sheet 'Sheet', holds a formula without a value" in errors(lambda: table(out.getvalue()))


def test_signs_by_a_word_and_by_the_amount_itself_and_several_accounts_in_one_table() -> None:
    profile = profiles.parse(
        "x",
        'sign = "direction"\ndates = ["%Y/%m/%d"]\n[directions]\nin = ["贷"]\nout = ["借"]\n[columns]\nday = ["Day"]\n'
        'amount = ["Amount"]\ndirection = ["借贷"]\nbalance = ["Balance"]\nown_account = ["Own"]\n',
    )
    rows = "Day,借贷,Amount,Balance,Own\n2026/1/5,贷,5.00,5.00,1111\n2026/1/5,贷,7,17,2222\n2026/1/6,借,2,3.00,1111\n"
    found = tables.read(formats.parse(rows.encode()), profile)
    assert [(s.account, s.opening_fen, s.closing_fen) for s in found] == [("1111", 0, 300), ("2222", 1_000, 1_700)]
    with pytest.raises(BadFile, match='direction: "收" is not allowed; it must be one of 贷, 借'):
        tables.read(formats.parse(rows.replace("贷,7", "收,7").encode()), profile)
    plain = 'Date,Amount,Balance\n2026-01-05,-5.00,-5.00\n2026-01-06,"1,005.00",1000.00\n'
    (signed,) = tables.read(formats.parse(plain.encode()), profiles.find("plain"), "3333")
    assert (signed.account, [entry.amount_fen for entry in signed.entries]) == ("3333", [-500, 100_500])


def test_rows_whose_balances_hold_either_way_are_put_in_order_by_their_times_or_refused() -> None:
    rows = "Date,Amount,Balance\n2026-01-0{},-1,0\n2026-01-05,1,1\n"
    plain = profiles.find("plain")
    (found,) = tables.read(formats.parse(rows.format(6).encode()), plain, "3333")
    assert (found.opening_fen, found.closing_fen) == (0, 0)
    assert "sort the rows by time" in errors(lambda: tables.read(formats.parse(rows.format(5).encode()), plain, "3333"))


def test_every_shipped_profile_is_whole_and_a_wrong_one_is_named() -> None:
    assert set(profiles.shipped()) == {"abc", "boc", "ccb", "cmb", "icbc", "plain"}
    for name in profiles.shipped():
        assert profiles.find(name).title
    good = (profiles.FOLDER / "plain.toml").read_text()
    for change, why in (
        (('sign = "signed"', 'sign = "x"'), 'sign: "x" is not allowed; it must be one of columns, direction, signed'),
        (("amount =", "amout ="), '"amout" is not allowed; it must be one of day'),
        (("balance =", "text2 ="), '"text2" is not allowed; it must be one of'),
        (('balance = ["Balance", "余额"]', ""), "with balance, or opening and closing above"),
        (('footers = ["Total"]', "footers = 1"), "must be a list of texts"),
        (("[columns]", "[columns"), "a file in TOML"),
    ):
        with pytest.raises(BadValue, match=why.replace("[", r"\[")):
            profiles.parse("p", good.replace(*change))
    with pytest.raises(BadValue, match="it must be one of abc, boc"):
        profiles.find("bank")


def test_a_file_is_read_in_a_process_of_its_own_whatever_it_is() -> None:
    bank = MockBank(0)
    day = bank.book(Payment(500, "A.H", "Member A", "62220001", "货款"))
    for data in (bank.mt940(day), bank.camt(day), bank.camt(day).decode().encode("utf-16"), bank.icbc(day)):
        (found,) = files.read(data, ICBC).statements
        assert found.entries[0].amount_fen == 500
    assert files.read(bank.camt(day)).statements == camt.read(bank.camt(day))
    assert "line 1, document" in errors(lambda: files.read(b"<Document>"))
    assert "a table needs the profile of its bank" in errors(lambda: files.read(bank.icbc(day)))
    bomb = b'<!DOCTYPE a [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]><a>' + b"&b;" * 1000
    assert reader.parse(bomb + b"</a>").errors


def test_a_word_that_is_broken_at_the_end_of_a_full_line_is_whole_again() -> None:
    """Else a part of one account's name may be the name of another."""
    bank = MockBank(0)
    data = bank.mt940(bank.book(Payment(100, "R"))).decode()
    lines = (":86:" + "x" * 60 + " ALPH", "A.H and others " + "y" * 49, "next", "B.H")
    data = data.replace("\r\n:62F", "\r\n" + "\r\n".join(lines) + "\r\n:62F").replace(":86:\r\n", "")
    (found,) = swift.read(data.encode())
    assert found.entries[0].items[0].text == "x" * 60 + " ALPHA.H and others " + "y" * 49 + " next B.H"


def test_an_entry_that_moves_nothing_is_noted_and_no_entry() -> None:
    bank = MockBank(0)
    day = bank.book(Payment(100, "R"))
    extra = f":61:{day.day:%y%m%d%m%d}C0,00NMSCFREE\r\n"
    (statement,) = swift.read(bank.mt940(day).decode().replace(":62F", extra + ":62F").encode())
    assert (len(statement.entries), statement.notes) == (1, ("line 7: it moves nothing: 2611231123C0,00NMSCFREE",))
    zero = '<Ntry><Amt Ccy="CNY">0</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
    zero += f"<BookgDt><Dt>{day.day}</Dt></BookgDt><AddtlNtryInf>free</AddtlNtryInf></Ntry></Stmt>"
    (statement,) = camt.read(bank.camt(day).decode().replace("</Stmt>", zero).encode())
    assert (len(statement.entries), statement.notes) == (1, ("line 2: it moves nothing: free",))


def test_the_banks_number_is_that_of_the_only_payment_where_the_entry_has_none() -> None:
    bank = MockBank(0)
    data = bank.camt(bank.book(Payment(100, "R"))).decode()
    number = "<AcctSvcrRef>B2611230001</AcctSvcrRef>"
    data = data.replace(number, "").replace("<Refs>", f"<Refs>{number}")
    assert camt.read(data.encode())[0].entries[0].bank_reference == "B2611230001"
