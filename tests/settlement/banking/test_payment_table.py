"""Payment files in CSV: the tables that banks ask for, described in files."""

import csv
from datetime import datetime
from pathlib import Path

import pytest

from goldx.protocol.units import BadValue
from settlement.banking import payment_table
from settlement.banking.payment_files import Debtor, Instruction
from settlement.banking.payouts import SHANGHAI
from tests.settlement.banking.mock_bank import MockBank
from tests.settlement.banking.test_payouts import ordered
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange

AT = datetime(2026, 11, 30, 9, 30, tzinfo=SHANGHAI)
DEBTOR = Debtor("厦门某某交易中心", "4100 0001", "ICBC")
PAYMENTS = (
    Instruction("W-1", 20_000, "厦门某某珠宝有限公司", "62220001", "102393000015"),
    Instruction("W-2", 5, 'Smith, "Gold" & Sons', "62220002", "中国银行厦门分行"),
)
MINIMAL = """
encoding = "gbk"
column = [
  { heading = "no", field = "end_to_end" }, { heading = "sum", field = "amount" },
  { heading = "name", field = "payee_name", longest = 10 }, { heading = "account", field = "payee_account" },
]
"""


def rows_of(content: bytes, encoding: str) -> list[list[str]]:
    return list(csv.reader(content.decode(encoding).splitlines()))


def test_every_shipped_table_can_be_written() -> None:
    for name in payment_table.shipped():
        table = payment_table.find(name)
        heading, *rows = rows_of(payment_table.write(table, AT, DEBTOR, PAYMENTS), table.encoding)
        assert heading == [column.heading for column in table.columns]
        assert len(rows) == 2


def test_the_chinese_table_has_the_bank_by_its_number_or_by_its_name() -> None:
    table = payment_table.find("batch-zh")
    content = payment_table.write(table, AT, DEBTOR, PAYMENTS)
    with pytest.raises(UnicodeDecodeError):
        content.decode()
    heading, first, second = (dict(enumerate(row)) for row in rows_of(content, "gb18030"))
    named = [{heading[place]: text for place, text in row.items()} for row in (first, second)]
    assert named[0] == {
        "序号": "1",
        "付款账号": "4100 0001",
        "付款户名": "厦门某某交易中心",
        "收款账号": "62220001",
        "收款户名": "厦门某某珠宝有限公司",
        "收款行行号": "102393000015",
        "收款行名称": "",
        "币种": "人民币",
        "金额": "200.00",
        "付款日期": "20261130",
        "用途": "出金",
        "附言": "W-1",
    }
    assert [named[1][name] for name in ("收款户名", "收款行行号", "收款行名称", "金额")] == [
        'Smith, "Gold" & Sons',
        "",
        "中国银行厦门分行",
        "0.05",
    ]


def test_a_text_that_does_not_fit_is_refused_and_never_cut() -> None:
    table = payment_table.parse("own", MINIMAL)
    fits = PAYMENTS[0]._replace(payee_name="厦门某某珠宝有限公司")
    assert rows_of(payment_table.write(table, AT, DEBTOR, [fits]), "gbk")[1][2] == "厦门某某珠宝有限公司"
    with pytest.raises(
        BadValue, match='payment W-1: name: "厦门某某珠宝有限公司A" is not allowed; it must be up to 10 characters'
    ):
        payment_table.write(table, AT, DEBTOR, [fits._replace(payee_name="厦门某某珠宝有限公司A")])
    with pytest.raises(BadValue, match='payment W-1: name: "𠮷野" is not allowed; it must be characters of gbk'):
        payment_table.write(table, AT, DEBTOR, [fits._replace(payee_name="𠮷野")])


@pytest.mark.parametrize("text", ["=1+1", "+62220001", "-1", "@SUM(A1)", " ＝1"])
@pytest.mark.parametrize("name", payment_table.shipped())
def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_refused(name: str, text: str) -> None:
    """An apostrophe before it, as in other files, would be another payee to the bank."""
    table = payment_table.find(name)
    fits, other = PAYMENTS
    for changed in (
        other._replace(payee_name=text),
        other._replace(payee_account=text),
        other._replace(payee_bank=text),
    ):
        with pytest.raises(BadValue, match="that no spreadsheet takes for a formula") as refused:
            payment_table.write(table, AT, DEBTOR, [fits, changed])
        assert "payment W-2" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"gbk"', '"ebcdic"', "encoding"),
        ("encoding", "codepage", "codepage"),
        ('"amount"', '"sum"', "one of row, end_to_end"),
        ('field = "payee_name"', 'text = "x"', "payee_name"),
        ('field = "payee_account"', 'field = "payee_account", text = "x"', "either a field, or a text"),
        ('"name"', '"𠮷"', "characters of gbk"),
        ("longest = 10", "longest = 0", "longest"),
        ("longest = 10", 'longest = "10"', "longest"),
        ("heading = ", "title = ", "title"),
        ("column = [", "column = {", "TOML"),
    ],
)
def test_a_description_with_a_fault_is_refused_by_its_name(old: str, new: str, field: str) -> None:
    with pytest.raises(BadValue, match="own") as refused:
        payment_table.parse("own", MINIMAL.replace(old, new))
    assert field in str(refused.value)


def test_a_table_without_columns_is_refused() -> None:
    for text in ("", "column = []", 'column = ["x"]'):
        with pytest.raises(BadValue, match="table own: column"):
            payment_table.parse("own", text)


@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_writes_the_banks_table(exchange: SmallExchange, ready: MockBank, tmp_path: Path) -> None:
    """A file that is refused has taken no order; the next one has it."""
    await ordered(exchange, 20_000)
    listed = await clerk(ONE, "bank", "payment-tables")
    assert [line.split("\t")[0] for line in listed.splitlines()] == ["table", *payment_table.shipped()]
    (tmp_path / "own.toml").write_text(MINIMAL.replace("longest = 10", "longest = 1"), encoding="utf-8")
    send = ("bank", "pay-file", "--bank-account", ready.account, "--out", "1.csv")
    assert "--table goes with --csv" in await clerk(ONE, *send, "--table", "plain", code=2)
    assert "a file, or one of batch-zh, plain" in await clerk(ONE, *send, "--csv", "--table", "none", code=1)
    assert "up to 1 characters" in await clerk(ONE, *send, "--csv", "--table", "own.toml", code=1)
    assert not (tmp_path / "1.csv").exists()
    assert "1 payments, 200.00 CNY" in await clerk(ONE, *send, "--csv", "--table", "batch-zh")
    assert "金额" in rows_of((tmp_path / "1.csv").read_bytes(), "gb18030")[0]


async def test_the_banks_table_over_rest(exchange: SmallExchange, ready: MockBank, rest: Rest) -> None:
    await ordered(exchange, 20_000)
    asked = {"bank_account": ready.account, "format": "CSV", "table": "batch-zh"}
    for wrong in ({"table": "none"}, {"format": "pain.001"}):
        await rest(ONE, "POST", "/payment-files", 422, json=asked | wrong)
    number = (await rest(ONE, "POST", "/payment-files", json=asked))["file"]
    content = await rest.content(ONE, f"/payment-files/{number}/content")
    assert rows_of(content, "gb18030")[1][0] == "1"
