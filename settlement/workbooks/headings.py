"""The headings under which the columns of lists, statements and reports are known.

Beside the names of this project they are those of London's weight lists and Chinese ones, and COMEX's of a depository's
report.
"""

from collections.abc import Mapping
from typing import Final

from settlement.workbooks.cells import normal_heading

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "refiner": (
        "brand",
        "brand code",
        "refiner code",
        "maker",
        "品牌",
        "厂家",
        "精炼厂",
        "生产厂家",
        "厂家代码",
        "牌号",
    ),
    "serial": (
        "serial number",
        "serial no",
        "bar number",
        "bar no",
        "bar serial",
        "编号",
        "条号",
        "锭号",
        "序列号",
        "金条编号",
        "金锭编号",
        "条块编号",
        "袋号",
    ),
    "year": (
        "year of manufacture",
        "year of manufacture (if stamped on the bar)",
        "year (if stamped)",
        "年份",
        "生产年份",
        "铸造年份",
    ),
    "symbol": ("class", "grade class", "品种", "品种代码", "等级"),
    "form": ("形态", "形式", "类别"),
    "account": ("账户", "交易账户", "存入账户"),
    "warehouse": ("vault", "location", "仓库", "金库", "交割仓库", "库点"),
    "gross_g": ("gross weight (g)", "gross (g)", "gross grams", "gross weight grams", "毛重", "毛重(克)", "毛重(g)"),
    "gross_kg": ("gross weight (kg)", "gross (kg)", "毛重(千克)", "毛重(公斤)", "毛重(kg)"),
    "gross_oz": (
        "gross weight (troy ounces)",
        "gross weight (oz)",
        "gross weight oz",
        "gross (oz)",
        "gross troy ounces",
        "毛重(盎司)",
        "毛重(oz)",
        "毛重(金衡盎司)",
    ),
    "fineness_permille": ("assay", "fineness", "fineness (‰)", "成色", "成色(‰)", "纯度(‰)", "含金量(‰)"),
    "fineness_percent": ("fineness (%)", "assay (%)", "成色(%)", "纯度(%)", "含金量(%)"),
    "fine_g": ("fine weight (g)", "fine (g)", "纯重", "纯重(克)", "纯重(g)"),
    "fine_oz": (
        "fine weight (troy ounces)",
        "fine weight (oz)",
        "fine weight oz",
        "fine (oz)",
        "fine troy ounces",
        "纯重(盎司)",
        "纯重(oz)",
        "纯重(金衡盎司)",
    ),
    "origin": ("来源", "来源类型"),
    "origin_document": ("来源证明", "来源文件", "来源单据"),
    "country": ("原产国", "国别", "来源国"),
    "seller_check": ("卖方身份核验", "身份核验", "客户身份核验"),
    "licence": ("采矿许可证", "采矿证号"),
    "tax_proof": ("资源税凭证", "完税证明"),
    "seal": ("seal number", "seal no", "封签", "封签号", "铅封号"),
    "weighed_g": ("weighed (g)", "复称毛重(克)", "入库毛重(克)"),
    "scale": ("balance", "天平", "磅秤"),
    "xrf_permille": ("xrf (‰)", "光谱初检(‰)", "X荧光(‰)"),
    "melt_g": ("melt weight (g)", "熔后重", "熔后重(克)"),
    "sample_seal": ("样品封签", "样品封签号"),
    "sample_g": ("sample weight (g)", "样品重", "样品重(克)"),
    "laboratory": ("lab", "化验室", "检验机构"),
    "replicate_1": ("平行样1",),
    "replicate_2": ("平行样2",),
    "replicate_3": ("平行样3",),
    "replicate_4": ("平行样4",),
    "status": ("state", "状态", "仓单状态"),
    "owner": ("depositor", "货主", "存货人", "所有人"),
    "customs": ("customs status", "海关状态", "保税状态"),
    "day": ("date", "statement date", "日期", "对账日期", "截至日期"),
}

HEADINGS: Final[Mapping[str, str]] = {
    normal_heading(name): column for column, names in _NAMES.items() for name in (column, *names)
}
"""Column by heading; headings are as ``normal_heading`` returns them."""

DEPOSITORY: Final = normal_heading("DEPOSITORY")
"""Heading of the first column of a depository's report."""
FIGURES: Final[Mapping[str, str]] = {
    normal_heading(heading): column
    for heading, column in (
        ("PREV TOTAL", "previous"),
        ("RECEIVED", "received"),
        ("WITHDRAWN", "withdrawn"),
        ("NET CHANGE", "net"),
        ("ADJUSTMENT", "adjustment"),
        ("TOTAL TODAY", "total"),
    )
}
"""Column by heading of a depository's report."""
ALL: Final = frozenset((*HEADINGS, *FIGURES, DEPOSITORY))
"""The headings of every table that is read."""
