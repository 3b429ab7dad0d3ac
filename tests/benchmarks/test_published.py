"""docs/benchmarks.md shows what the files beside it hold, and every figure comes with machine, command and date."""

import json
from pathlib import Path

import pytest

from benchmarks import published, tables

SMALL = published.Measurement(
    ("settlement-scale", "--json", "--lots", "2000", "--events-each", "1", "--rows", "10", "--rounds", "1"),
    published.INTERPRETED,
    tables.lots,
)


def test_the_page_is_what_the_kept_files_give() -> None:
    page = published.PAGE.read_text()
    assert page == published.written(page, published.FOLDER), "run python -m benchmarks.published"


def test_every_kept_file_is_a_measurement_and_has_a_place_on_the_page() -> None:
    kept = {path.stem for path in published.FOLDER.glob("*.json")}
    assert kept <= published.MEASUREMENTS.keys()
    page = published.PAGE.read_text()
    for name in published.MEASUREMENTS:
        assert page.count(f"<!-- {name} -->\n") == page.count(f"<!-- end of {name} -->") == 1


@pytest.mark.campaign
def test_a_measurement_is_kept_with_machine_command_and_date_and_written_into_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "MEASUREMENTS", {"small": SMALL})
    published.record("small", SMALL, tmp_path / "benchmarks")
    kept = json.loads((tmp_path / "benchmarks" / "small.json").read_text())
    assert kept["result"]["lots"] == 2_000
    assert set(kept["machine"]) == {"processor", "processors", "memory_gib", "kernel", "python"}
    page = published.written(
        "Before\n<!-- small -->\nstale figures\n<!-- end of small -->\nAfter\n", tmp_path / "benchmarks"
    )
    assert page.startswith(
        "Before\n<!-- small -->\n\n`GOLDX_CORE=interpreted goldx bench settlement-scale --json --lots"
    )
    assert f"commit {kept['commit']}, {kept['machine']['processors']} processors" in page
    assert "| first page of lots | " in page
    assert "stale figures" not in page
    assert page.endswith("<!-- end of small -->\nAfter\n")
    assert published.written(page, tmp_path / "benchmarks") == page


def test_the_growth_of_postings_has_a_row_for_each_part_of_the_events() -> None:
    growth = [{"postings": 1_070_027, "us": 20.5, "cpu_us": 2.25}, {"postings": 2_064_920, "us": 21.0, "cpu_us": 2.5}]
    shown = tables.postings({"trades": 400_000, "growth": growth})
    assert shown.startswith("400,000 trades:\n\n| postings | µs a posting | µs of processors |\n")
    assert shown.endswith("| 1,070,027 | 20.5 | 2.25 |\n| 2,064,920 | 21.0 | 2.5 |")


def test_a_machine_without_git_measures_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert published.commit() == "unknown"


def test_a_page_without_a_place_for_a_kept_measurement_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "MEASUREMENTS", {"small": SMALL})
    (tmp_path / "small.json").write_text("{}")
    with pytest.raises(ValueError, match="no place for small"):
        published.written("<!-- small -->\n", tmp_path)
