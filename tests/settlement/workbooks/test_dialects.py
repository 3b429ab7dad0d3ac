"""Encoding and separator of a CSV, which it does not say: known by its headings, or asked."""

from pathlib import Path

import pytest

from settlement.intake import bar_list
from settlement.intake.bar_rows import Reading
from settlement.workbooks import csv_files, formats
from settlement.workbooks.cells import BadFile, SheetTable
from settlement.workbooks.formats import Stated
from tests.settlement import bar_lists

INPUTS = Path(__file__).parents[4] / "shared" / "faults" / "inputs"
WESTERN = "refiner,serial\nMétaux Précieux SA,A000417\n"
CHINESE = "厂家,编号\n洛阳金矿,足金一号\n"
TRADITIONAL = "廠家,編號\n香港金號,條塊一\n"


def texts(table: SheetTable) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-16-be"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "utf-8"),
        (WESTERN, "utf-8-sig"),
        (WESTERN, "utf-16"),
        (WESTERN, "utf-16-le"),
        (WESTERN.replace("é", "e"), "ascii"),
        (WESTERN.replace("Métaux", "金属"), "utf-8"),
    ],
)
def test_an_encoding_that_shows_is_known(text: str, encoding: str) -> None:
    assert texts(formats.parse(text.encode(encoding))) == [line.split(",") for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WESTERN, "windows-1252"),
        (WESTERN, "utf-8"),
        ("refiner,serial\n洛阳金矿,A1\n", "gb18030"),
        ("refiner,serial\n香港金號,A1\n", "big5"),
        ("refiner,serial\n模,A1\n", "gb18030"),
    ],
)
def test_an_encoding_that_does_not_show_is_asked_and_can_be_stated(text: str, encoding: str) -> None:
    """The last of them is, byte by byte, also UTF-8: another letter."""
    data = text.encode(encoding)
    with pytest.raises(BadFile, match=r"nothing shows the encoding; the same bytes are .*--encoding"):
        formats.parse(data)
    assert texts(formats.parse(data, Stated(encoding=encoding))) == [line.split(",") for line in text.splitlines()]


def test_what_the_same_bytes_may_be_is_shown_with_the_line() -> None:
    with pytest.raises(BadFile, match=r"line 2, .*'Métaux' in windows-1252") as bad:
        formats.parse(WESTERN.encode("cp1252"))
    assert "'M閠aux' in gb18030" in str(bad.value)


@pytest.mark.parametrize(
    ("data", "stated", "problem"),
    [
        (WESTERN.encode("utf-8-sig"), Stated(encoding="gb18030"), "declare utf-8, and gb18030 is stated"),
        (WESTERN.encode("cp1252"), Stated(encoding="utf-8"), "line 2, file: byte 16 is not utf-8 text"),
        (b"a,b\n\x81\xff\n", Stated(encoding="windows-1252"), "byte 4 is not windows-1252 text"),
        ("a,b\n".encode("utf-32"), Stated(), "NUL as utf-16"),
        (b"a,b\n\0,1\n", Stated(), "no text in any"),
        (b"PK\x03\x04", Stated(encoding="utf-8"), "neither an encoding nor a separator"),
    ],
)
def test_what_is_no_text_in_the_stated_encoding_is_refused(data: bytes, stated: Stated, problem: str) -> None:
    with pytest.raises(BadFile, match=problem):
        formats.parse(data, stated)


@pytest.mark.parametrize("encoding", csv_files.ENCODINGS)
def test_every_encoding_that_can_be_stated_is_read(encoding: str) -> None:
    assert texts(formats.parse("refiner,serial\nA,1\n".encode(encoding), Stated(encoding=encoding)))[1] == ["A", "1"]


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("Bar list of vault XM1\n\nrefiner;serial\nHX;A1\n", "semicolon"),
        ("Bars, all of them, in XM1\nrefiner;serial\nHX;A1\n", "semicolon"),
        ("a;b;c;d\nrefiner,serial\nHX,A1\n", "comma"),
        ("refiner\tserial\tgross_g\nHX\tA1\t1,5\n", "tab"),
        ("refiner;serial;gross_g\nHX, Hongxing, Ltd, Luoyang;A1;1,5\n", "semicolon"),
        ("sep=;\nrefiner;serial\nHX;A1\n", "semicolon"),
        ("colour;size\nred;1\n", "semicolon"),
        ('"DEPOSITORY";"PREV TOTAL";"RECEIVED"\nA;1;2\n', "semicolon"),
    ],
)
def test_a_separator_is_the_one_under_which_headings_stand(text: str, separator: str) -> None:
    table = formats.parse(text.encode())
    assert table.dialect == f"UTF-8, separated by {separator}"
    assert len(table.rows[-1].cells) > 1


def test_a_separator_that_nothing_shows_is_asked_and_can_be_stated() -> None:
    data = b"colour;weight, all\nred;1,5\n"
    with pytest.raises(BadFile, match=r"no row of the first 40 has known headings .*comma, semicolon.*--separator"):
        formats.parse(data)
    assert texts(formats.parse(data, Stated(separator="semicolon")))[1] == ["red", "1,5"]
    with pytest.raises(BadFile, match="its first line declares the separator ';', and comma is stated"):
        formats.parse(b"sep=;\n" + data, Stated(separator="comma"))


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """A cell of several lines, empty lines and the line that declares the separator count; a row is where it begins."""
    data = b'sep=,\r\nrefiner,serial\r\n\r\n"H\nX",A1\rHX,A2\nHX,A3'
    assert [row.line for row in formats.parse(data).rows] == [2, 4, 6, 7]


@pytest.mark.parametrize("name", ["western_code_page.csv", "title_line_semicolons.csv"])
def test_files_that_were_guessed_wrongly(name: str) -> None:
    if not INPUTS.exists():
        pytest.skip(f"{INPUTS} is not there")
    data = (INPUTS / name).read_bytes()
    stated = Stated(encoding="windows-1252") if name.startswith("western") else Stated()
    (row,) = bar_lists.declared_rows(formats.parse(data, stated), Reading())
    assert row.key.refiner in ("Métaux Précieux SA", "HX-REFINING")


def test_a_file_as_it_was_read_says_what_was_found_out_and_shows_every_foreign_word() -> None:
    text = "Liste\nrefiner;serial;gross_g;fineness_permille;year\n"
    text += "".join(f"HX;A{number};{number},50;999;\n" for number in range(1, 31)) + "Métaux Précieux;Ä1;1,5;999;2024\n"
    table = formats.parse(text.encode("cp1252"), Stated(encoding="windows-1252"))
    found = bar_list.laid_out(table, Reading(), "declared").as_read()
    assert found.how == (
        "encoding windows-1252: as stated",
        "separator semicolon: the headings in line 2 are known ones with it",
        "decimal comma: as the numbers show",
    )
    assert (found.heading, found.total, len(found.rows)) == (2, 31, 20)
    assert found.rows[0] == (3, {"refiner": "HX", "serial": "A1", "gross_g": "1.50", "fineness_permille": "999"})
    assert found.words == (("Métaux", 33), ("Précieux", 33), ("Ä1", 33))
    assert "11 more rows are read in the same way" in found.lines()
    assert found.lines()[-1] == "words that are not ASCII: Métaux (line 33), Précieux (line 33), Ä1 (line 33)"
