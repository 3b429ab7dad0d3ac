"""A certificate on paper: one page, Chinese and English, with a QR code that holds its number and SHA-256.

The page shows the certificate's text and nothing else; the same certificate gives the same bytes. The QR code
reads ``goldx:certificate/17?sha256=...``; anybody can ask the register whether it has a certificate of that number and
hash (``GET /v1/certificates/17?sha256=...``, ``goldx clerk certificate verify``).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pylopdf_fonts_zh_cn as fonts
import segno

from settlement.assays.certificates import Certificate
from settlement.base.arithmetic import format_cg, format_fineness
from settlement.base.working_days import shown_time

_MARGIN, _WIDTH = 18, 174
_QR_MM: Final = 34

FORMS_ZH: Final[Mapping[str, str]] = {
    "SCRAP_JEWEL": "旧料/旧金首饰",
    "KARAT_ALLOY": "K金料",
    "DORE": "合质金",
    "NONAPPROVED_BAR": "非认定企业金条",
    "GRAIN": "金粒",
}
PARTIES_ZH: Final[Mapping[str, str]] = {"A": "甲方 A", "B": "乙方 B", "UMPIRE": "仲裁 umpire"}
RULES_ZH: Final[Mapping[str, str]] = {
    "SINGLE_LABORATORY_1": "单一实验室",
    "SPLIT_WITHIN_LIMIT_MEAN_1": "分歧限内取平均值",
    "NEAREST_MEAN": "仲裁值与较近一方取平均值",
    "MIDDLE": "三方取中间值",
}
"""Domain sheet 10 and 3.5, in Chinese."""


def qr_text(found: Certificate) -> str:
    """Return the text of the QR code."""
    return f"goldx:certificate/{found.number}?sha256={found.hash.hex()}"


def render(found: Certificate) -> bytes:
    """Return the page as PDF."""
    content = found.content
    page = _Page(content["issued_at"])
    page.title(found.number)
    page.heading("批次", "Lot")
    page.fields(_lot(content))
    page.heading("化验", "Assay")
    page.table(
        (
            "",
            "实验室 Laboratory",
            "资质 Accreditation",
            "标准 Standard",
            "样品封签 Sample",
            "平行样 ‰ Replicates",
            "报告 ‰",
        ),
        (14, 36, 32, 28, 22, 28, 14),
        [_assay(entry) for entry in content["assays"]],
    )
    page.heading("结论", "Finding")
    page.fields(_finding(content))
    page.foot(found)
    return bytes(page.pdf.output())


def _day(at: int) -> str:
    return shown_time(at)[: len("2026-11-24 09:30")]


def _lot(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    mark = f"{content['refiner']}  {content['serial']}" + (f"  ({content['year']})" if content["year"] else "")
    weight = {"melt": "熔后重 Melt weight", "gross": "毛重 Gross weight"}[content["weight"]]
    rows = [
        ("批次 Lot", str(content["lot"])),
        ("标记 Mark", mark),
        ("形态 Form", f"{FORMS_ZH[content['form']]}  {content['form']}"),
        ("品种 Class", content["class"]),
        ("仓库 Warehouse", content["warehouse"]),
        ("收货 Received", _day(content["received_at"])),
        (weight, f"{format_cg(content['weight_cg'])} g   ({content['scale']})"),
    ]
    if content["parents"]:
        rows.append(("熔合自 Melted from lots", ", ".join(map(str, content["parents"]))))
    if (origin := content["provenance"]) is not None:
        rows.append(("来源 Provenance", f"{origin['origin']}  {origin['country']}   风险 risk {origin['grade']}"))
    return rows


def _assay(entry: Mapping[str, Any]) -> tuple[str, ...]:
    replicates = "\n".join(f"{ppm // 1_000}.{ppm % 1_000:03d}" for ppm in entry["replicates_ppm"])
    name = "\n".join(filter(None, (entry["laboratory_name_zh"], entry["laboratory_name"])))
    accredited = f"{'/'.join(entry['accreditations'])}\n{entry['accreditation_no']}"
    return (
        PARTIES_ZH[entry["party"]].replace(" ", "\n"),
        name,
        accredited,
        entry["standard"],
        entry["sample_seal"],
        replicates,
        format_fineness(entry["reported_e5"]),
    )


def _finding(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    finding, fine = content["finding"], content["fine"]
    rows = [
        ("成色 Fineness", f"{format_fineness(finding['fineness_e5'])} ‰"),
        ("报告规则 Reported by", ", ".join(sorted({entry["rule"] for entry in content["assays"]}))),
        ("规则 Rule", f"{RULES_ZH[finding['rule']]}  {finding['rule']}"),
        ("纯重 Fine weight", f"{fine['fine_mg'] // 1_000}.{fine['fine_mg'] % 1_000:03d} g"),
        ("修约 Rounding", f"{fine['rule']}, 余数 residue {fine['residue_1e7']} × 1e-7 g"),
        ("签发 Issued", f"{_day(content['issued_at'])}   {content['by']}"),
    ]
    if finding["split_limit_e5"] is not None:
        rows.insert(3, ("分歧限 Splitting limit", f"{format_fineness(finding['split_limit_e5'])} ‰"))
    if finding["umpire_paid_by"] is not None:
        payer = {"A": "甲方 A", "B": "乙方 B", "BOTH": "双方各半 both, half each"}[finding["umpire_paid_by"]]
        rows.insert(4, ("仲裁费 Umpire paid by", payer))
    return rows


class _Page:
    """The page and the ways to draw on it."""

    def __init__(self, issued_at: int) -> None:
        # Slow to load, and only drawing needs it.
        from fpdf import FPDF

        self.pdf = FPDF(format="A4")
        self.pdf.set_creation_date(datetime.fromtimestamp(issued_at // 1_000, UTC))
        self.pdf.set_margins(_MARGIN, 16, _MARGIN)
        self.pdf.set_auto_page_break(False)
        self.pdf.add_font("sans", fname=str(fonts.sans_path()))
        self.pdf.add_page()

    def title(self, number: int) -> None:
        pdf = self.pdf
        pdf.set_title(f"Assay certificate {number}")
        pdf.set_font("sans", size=20)
        pdf.cell(_WIDTH, 10, "检验证书", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("sans", size=11)
        pdf.set_text_color(90)
        pdf.cell(_WIDTH / 2, 6, "Assay certificate")
        pdf.set_text_color(0)
        pdf.set_font("sans", size=13)
        pdf.cell(_WIDTH / 2, 6, f"№ {number}", align="R", new_x="LMARGIN", new_y="NEXT")
        self._rule(0.6)

    def heading(self, zh: str, en: str) -> None:
        pdf = self.pdf
        pdf.ln(4)
        pdf.set_font("sans", size=11)
        pdf.cell(_WIDTH, 6, f"{zh}  {en}", new_x="LMARGIN", new_y="NEXT")
        self._rule(0.2)

    def fields(self, rows: Sequence[tuple[str, str]]) -> None:
        pdf = self.pdf
        for name, value in rows:
            pdf.set_font("sans", size=8.5)
            pdf.set_text_color(90)
            pdf.cell(46, 5.6, name)
            pdf.set_text_color(0)
            pdf.set_font("sans", size=9.5)
            pdf.multi_cell(_WIDTH - 46, 5.6, value, new_x="LMARGIN", new_y="NEXT", align="L")

    def table(self, heading: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
        pdf = self.pdf
        pdf.set_font("sans", size=7.5)
        with pdf.table(
            col_widths=tuple(widths),
            width=_WIDTH,
            line_height=4.2,
            borders_layout="HORIZONTAL_LINES",
            text_align="LEFT",
            first_row_as_headings=False,
            padding=(1, 1),
        ) as table:
            for cells in (heading, *rows):
                row = table.row()
                for cell in cells:
                    row.cell(cell)

    def foot(self, found: Certificate) -> None:
        """Draw the QR code, its text, and how to check it."""
        pdf = self.pdf
        top = 297 - 16 - _QR_MM
        self._qr(qr_text(found), _MARGIN, top)
        pdf.set_xy(_MARGIN + _QR_MM + 6, top)
        pdf.set_font("sans", size=8)
        digest = found.hash.hex()
        lines = (
            "扫描二维码可取得证书编号与 SHA-256，向登记系统核对。",
            "The code holds the number and the SHA-256; check them against the register:",
            f"GET /v1/certificates/{found.number}?sha256=…",
            f"SHA-256  {digest[:32]}",
            f"         {digest[32:]}",
            "成色与纯重可由平行样原始值按所列规则重新计算。",
            "Fineness and fine weight can be computed again from the replicates by the rules named.",
        )
        for line in lines:
            pdf.set_x(_MARGIN + _QR_MM + 6)
            pdf.cell(_WIDTH - _QR_MM - 6, 4.8, line.strip(), new_x="LMARGIN", new_y="NEXT")

    def _qr(self, text: str, left: float, top: float) -> None:
        matrix = segno.make_qr(text, error="m").matrix
        side = _QR_MM / len(matrix)
        for y, line in enumerate(matrix):
            for x, dark in enumerate(line):
                if dark:
                    self.pdf.rect(left + x * side, top + y * side, side, side, style="F")

    def _rule(self, width: float) -> None:
        pdf = self.pdf
        pdf.set_line_width(width)
        pdf.line(_MARGIN, pdf.get_y() + 0.8, _MARGIN + _WIDTH, pdf.get_y() + 0.8)
        pdf.ln(2.2)
