"""An inventory count on paper, Chinese and English: the blind list that counters fill in, and the signed report.

The report shows the record of a closed count and nothing else; the same record gives the same bytes.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pylopdf_fonts_zh_cn as fonts
from sqlalchemy import Row

from settlement.base.arithmetic import format_cg
from settlement.base.working_days import shown_time
from settlement.reconciliation import breaks

_MARGIN: Final = 14
_WIDTH: Final = 182
_GREY: Final = 90
SPARE_LINES: Final = 12
EXTENTS_ZH: Final[Mapping[str, str]] = {
    "FULL": "全面盘点 all bars",
    "LOTS": "指定批次 named lots",
    "SAMPLE": "抽样 sample",
}
_BAR: Final = ("厂家 Maker", "编号 Number", "年 Year", "在库 There", "毛重 Gross g", "封签 Seal", "状况 Condition")
KINDS_ZH: Final[Mapping[str, str]] = {
    "MISSING_AT_WAREHOUSE": "账有实无 missing",
    "TIMING": "在途 under transfer",
    "UNKNOWN_AT_WAREHOUSE": "实有账无 not in the register",
    "LOCATION_DIFF": "库位不符 in another warehouse by the register",
    "WEIGHT_DIFF": "重量不符 weight",
    "WEIGHT_DRIFT": "重量偏移 weight of all together",
    "SEAL_DIFF": "封签不符 seal",
    "FINENESS_DIFF": "成色不符 fineness",
}


def blank_list(row: Row[Any], bars: Sequence[Row[Any]]) -> bytes:
    """Return the blind list as PDF: marks to be looked for, with neither weights nor seals."""
    again = row.status == "RECOUNTING"
    page = _Paper(row.opened_at, f"盘点 № {row.count_no}  Count № {row.count_no}")
    title = ("复盘清单", "List of bars to be counted again") if again else ("盘点清单", "Count list")
    page.title(*title, row.count_no)
    page.fields(_about(row._asdict()))
    page.fields([("盘点人 Counter", ""), ("日期与时间 Date and time", "")])
    box = "□ 是 yes  □ 否 no"
    rows = [(str(bar.line), bar.refiner, bar.serial, str(bar.year or ""), box, "", "", "") for bar in bars]
    if row.extent == "FULL" and not again:
        rows += [("+", "", "", "", "□ 是 yes", "", "", "")] * SPARE_LINES
    page.table(("行 Line", *_BAR), (12, 28, 36, 14, 30, 22, 20, 20), rows)
    page.note("清单不含重量与封签：请照实物填写。 Neither weights nor seals are printed: write what the bar shows.")
    page.signatures((("盘点人 Counter", ""),))
    return page.bytes()


def report(content: str, digest: bytes) -> bytes:
    """Return the report of a closed count as PDF, made of its record and the record's hash."""
    found = json.loads(content)
    page = _Paper(found["closed_at"], f"盘点 № {found['count_no']}  Count № {found['count_no']}")
    page.title("盘点报告", "Inventory count report", found["count_no"])
    there = sum(bar["found"] for bar in found["bars"])
    rows = _about(found)
    rows += [
        ("结束 Closed", shown_time(found["closed_at"])),
        ("盘点人 Counters", "、".join(_person(found, code) for code in found["counters"])),
        ("监盘人 Supervisor", _person(found, found["supervisor"])),
        ("应盘 / 实盘 Listed / found", f"{len(found['bars'])} / {there}"),
        ("清单以外 Not on the list", str(len(found["extra"]))),
        ("复盘 Counted again", str(found["counted_again"])),
        ("差异 Differences", str(len(found["breaks"]))),
    ]
    page.fields(rows)
    page.heading("差异", "Differences")
    if found["breaks"]:
        widths = (44, 48, 24, 24, 42)
        heading = ("类型 Kind", "金条 Bar", "账面 Register", "实盘 Counted", "说明 Note")
        page.table(heading, widths, [_difference(one) for one in found["breaks"]])
    else:
        page.note("账实相符，无差异。 Bars and register agree; there is no difference.")
    page.heading("盘点结果", "Bars counted")
    bars = [_bar(bar) for bar in (*found["bars"], *found["extra"])]
    page.table(("批次 Lot", *_BAR), (14, 30, 38, 14, 20, 24, 20, 22), bars)
    page.heading("签署", "Signed")
    page.signatures(_signed(found))
    page.note(f"记录 SHA-256 of the record  {digest.hex()}")
    page.note("本报告签署后不得更改。 This report is never changed after it is signed.")
    return page.bytes()


def _about(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    extent = EXTENTS_ZH[row["extent"]]
    if row["extent"] == "SAMPLE":
        extent += f"  {row['sample']}, 种子 seed {row['seed']}"
    return [
        ("仓库 Warehouse", row["warehouse"]),
        ("范围 Extent", extent),
        ("事由 Reason", row["why"]),
        ("开始 Opened", shown_time(row["opened_at"])),
    ]


def _difference(one: Mapping[str, Any]) -> tuple[str, ...]:
    figures = [breaks.shown(one["unit"], one["asset"], one[name]) for name in ("expected", "found")]
    if one["unit"] == "match":
        figures = ["", ""]
    elif one["unit"] == "gross_mg":
        figures = [f"{figure} g" for figure in figures]
    return f"{KINDS_ZH.get(one['kind'], '')}\n{one['kind']}", one["subject"], *figures, one["note"]


def _bar(bar: Mapping[str, Any]) -> tuple[str, ...]:
    gross = "" if bar["gross_cg"] is None else format_cg(bar["gross_cg"])
    there = "是 yes" if bar["found"] else "否 no"
    return (
        "+" if bar["lot"] is None else str(bar["lot"]),
        bar["refiner"],
        bar["serial"],
        str(bar["year"] or ""),
        there,
        gross,
        bar["seal"] or "",
        bar["condition"],
    )


def _signed(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    last = found["signed"][-1]
    lines = [(f"盘点人 Counter  {_person(found, code)}", shown_time(last[code])) for code in found["counters"]]
    supervisor = _person(found, found["supervisor"])
    return [*lines, (f"监盘人 Supervisor  {supervisor}", shown_time(found["closed_at"]))]


def _person(found: Mapping[str, Any], code: str) -> str:
    """Return a person's name with the code, unless they are the same."""
    name = found["names"][code]
    return name if name == code else f"{name} ({code})"


class _Paper:
    """Pages of A4 with a foot, and the ways to write on them."""

    def __init__(self, at: int, foot: str) -> None:
        # Slow to load, and only drawing needs it.
        from fpdf import FPDF

        def draw_foot(page: FPDF) -> None:
            page.set_y(-12)
            page.set_font("sans", size=7.5)
            page.set_text_color(_GREY)
            page.cell(_WIDTH / 2, 5, foot)
            page.cell(_WIDTH / 2, 5, f"{page.page_no()} / {{nb}}", align="R")
            page.set_text_color(0)

        pages: Any = type("Pages", (FPDF,), {"footer": draw_foot})
        self._pdf = pages(format="A4")
        self._pdf.set_creation_date(datetime.fromtimestamp(at // 1_000, UTC))
        self._pdf.set_margins(_MARGIN, 14, _MARGIN)
        self._pdf.set_auto_page_break(True, 16)
        self._pdf.add_font("sans", fname=str(fonts.sans_path()))
        self._pdf.add_page()

    def title(self, zh: str, en: str, number: int) -> None:
        pdf = self._pdf
        pdf.set_title(f"{en} {number}")
        pdf.set_font("sans", size=18)
        pdf.cell(_WIDTH, 9, zh, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("sans", size=11)
        pdf.set_text_color(_GREY)
        pdf.cell(_WIDTH / 2, 6, en)
        pdf.set_text_color(0)
        pdf.cell(_WIDTH / 2, 6, f"№ {number}", align="R", new_x="LMARGIN", new_y="NEXT")
        self._rule(0.6)

    def heading(self, zh: str, en: str) -> None:
        pdf = self._pdf
        if pdf.will_page_break(30):
            pdf.add_page()
        pdf.ln(3)
        pdf.set_font("sans", size=11)
        pdf.cell(_WIDTH, 6, f"{zh}  {en}", new_x="LMARGIN", new_y="NEXT")
        self._rule(0.2)

    def fields(self, rows: Sequence[tuple[str, str]]) -> None:
        pdf = self._pdf
        for name, value in rows:
            pdf.set_font("sans", size=8.5)
            pdf.set_text_color(_GREY)
            pdf.cell(50, 5.4, name)
            pdf.set_text_color(0)
            pdf.set_font("sans", size=9.5)
            pdf.multi_cell(_WIDTH - 50, 5.4, value or "_" * 24, new_x="LMARGIN", new_y="NEXT", align="L")

    def table(self, heading: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
        pdf = self._pdf
        pdf.ln(2)
        pdf.set_font("sans", size=8)
        with pdf.table(
            col_widths=tuple(widths),
            width=_WIDTH,
            line_height=4.4,
            borders_layout="ALL",
            text_align="LEFT",
            padding=(1, 1),
            headings_style=_heading_style(),
        ) as table:
            for cells in (heading, *rows):
                row = table.row()
                for cell in cells:
                    row.cell(cell)
        pdf.ln(2)

    def note(self, text: str) -> None:
        pdf = self._pdf
        pdf.set_font("sans", size=8)
        pdf.multi_cell(_WIDTH, 4.8, text, new_x="LMARGIN", new_y="NEXT", align="L")

    def signatures(self, lines: Sequence[tuple[str, str]]) -> None:
        """Draw a line for each person to sign on, with the time of the signature in the register if there is one."""
        pdf = self._pdf
        if pdf.will_page_break(12 * len(lines)):
            pdf.add_page()
        for name, at in lines:
            pdf.ln(4)
            pdf.set_font("sans", size=9)
            pdf.cell(96, 6, name)
            pdf.cell(36, 6, at)
            pdf.cell(_WIDTH - 132, 6, "", border="B", new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)

    def bytes(self) -> bytes:
        return bytes(self._pdf.output())

    def _rule(self, width: float) -> None:
        pdf = self._pdf
        pdf.set_line_width(width)
        pdf.line(_MARGIN, pdf.get_y() + 0.8, _MARGIN + _WIDTH, pdf.get_y() + 0.8)
        pdf.ln(2.2)
        pdf.set_line_width(0.2)


def _heading_style() -> Any:
    from fpdf.fonts import FontFace

    return FontFace(emphasis="", fill_color=(235, 235, 235))
