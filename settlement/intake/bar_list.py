"""Bar lists: what a depositor declares of each lot, and what warehouse and laboratory measured.

A list is read whole or not at all: every bad row is named, and nothing is taken in if there is one (columns:
docs/settlement.md).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from goldx.protocol.units import BadValue
from settlement.base.arithmetic import format_cg
from settlement.intake import bar_columns
from settlement.intake.bar_columns import REPLICATES
from settlement.intake.bar_rows import BarKey, BarRows, Layout, Reading, lay_out, rows_of
from settlement.lots.provenance import ProvenanceRecord
from settlement.lots.scales import Weight
from settlement.workbooks.cells import SheetTable


class Declared(NamedTuple):
    """One lot as its depositor declares it; ``line`` is its place in the file."""

    line: int
    key: BarKey
    symbol: str
    form: str
    account: str
    warehouse: str
    gross_cg: int
    fineness_e5: int
    provenance: ProvenanceRecord


class Measured(NamedTuple):
    """One lot as measured: weights of balances, screening, sample, and the laboratory's replicates."""

    line: int
    key: BarKey
    seal: str
    weighed: Weight
    scale: str
    xrf_e5: tuple[int, ...]
    melted: Weight | None
    sample_seal: str
    sample_cg: int
    laboratory: str
    replicates_ppm: tuple[int, ...]


def laid_out(table: SheetTable, reading: Reading, kind: str) -> Layout:
    """Return a bar list of a kind, declared or measured, under its headings."""
    columns = bar_columns.DECLARED if kind == "declared" else bar_columns.MEASURED
    return lay_out(table, columns, bar_columns.ALL, reading)


def declared_rows(layout: Layout, reading: Reading) -> BarRows[Declared]:
    """Return the declared columns of a bar list, and every error of its rows."""
    return rows_of(layout, bar_columns.DECLARED, _declared, reading)


def measured_rows(layout: Layout, reading: Reading) -> BarRows[Measured]:
    """Return the measured columns of a bar list, and every error of its rows."""
    return rows_of(layout, bar_columns.MEASURED, _measured, reading)


def _declared(line: int, key: BarKey, values: Mapping[str, Any]) -> Declared:
    gross_cg, fineness_e5 = bar_columns.weight_and_fineness(values)
    document = values.get("origin_document")
    provenance = ProvenanceRecord(
        origin=values["origin"],
        country=values.get("country"),
        licence=values.get("licence"),
        tax_proof=values.get("tax_proof"),
        seller_check=values.get("seller_check"),
        documents=(document,) if document else (),
    )
    return Declared(
        line=line,
        key=key,
        symbol=values["symbol"],
        form=values["form"],
        account=values["account"],
        warehouse=values["warehouse"],
        gross_cg=gross_cg,
        fineness_e5=fineness_e5,
        provenance=provenance,
    )


def _measured(line: int, key: BarKey, values: Mapping[str, Any]) -> Measured:
    replicates = tuple(values[column] for column in REPLICATES if values.get(column) is not None)
    if len(replicates) < 2:
        raise BadValue("replicate_2", "", "given: a fire assay has at least two replicates")
    melted = values.get("melt_g")
    if melted is not None and melted.cg > values["weighed_g"].cg:
        raise BadValue("melt_g", format_cg(melted.cg), "at most the weight before melting")
    return Measured(
        line=line,
        key=key,
        seal=values["seal"],
        weighed=values["weighed_g"],
        scale=values["scale"],
        xrf_e5=values["xrf_permille"],
        melted=melted,
        sample_seal=values["sample_seal"],
        sample_cg=values["sample_g"],
        laboratory=values["laboratory"],
        replicates_ppm=replicates,
    )
