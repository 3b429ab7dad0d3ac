"""The pages under docs/: what the code cites from them is there, and they name each term once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = [
    path
    for folder in ("goldx", "matching", "api", "settlement", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
NUMBER = r"\d+(?:\.\d+)?"
CITATION = re.compile(rf"[Dd]omain sheet ({NUMBER}(?:(?:, | and | to ){NUMBER})*)")


def sections(page: str) -> set[str]:
    """The numbers of a page's headings, and of its bullets that begin with a number in bold."""
    return set(re.findall(rf"^(?:#+ |- \*\*)({NUMBER})\.?(?= |$|\*\*)", page, re.MULTILINE))


def citations(source: str) -> set[str]:
    """The sections of the domain sheet that a source cites, over the ends of lines of text and comments."""
    running = re.sub(r"\s*\n\s*(?:# )?", " ", source)
    return {number for cited in CITATION.findall(running) for number in re.findall(NUMBER, cited)}


def test_citations_are_read_over_the_end_of_a_line() -> None:
    source = '"""Weights (domain\n    sheet 4.1, 4.3 and 8.1 to 8.3): so."""\n# Domain sheet\n# 10'
    assert citations(source) == {"4.1", "4.3", "8.1", "8.3", "10"}


def test_every_section_of_the_domain_sheet_that_is_cited_exists() -> None:
    known = sections((DOCS / "domain.md").read_text())
    cited = {path: citations(path.read_text()) for path in SOURCES if path != Path(__file__)}
    assert sum(map(len, cited.values())) > 40, "the citations are not found any more"
    missing = {str(path.relative_to(ROOT)): sorted(numbers - known) for path, numbers in cited.items()}
    assert not {path: numbers for path, numbers in missing.items() if numbers}


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_the_pages_cite_sections_that_exist(page: Path) -> None:
    known = sections((DOCS / "domain.md").read_text())
    assert citations(page.read_text()) <= known


def test_the_domain_sheet_names_every_source_that_it_cites_and_no_other() -> None:
    text, _, table = (DOCS / "domain.md").read_text().partition("## 11. Sources\n")
    mark = re.compile(r"\bS-[A-Za-z0-9-]+")
    listed = {found for row in re.findall(r"^\| (S-[^|]*)\|", table, re.MULTILINE) for found in mark.findall(row)}
    cited = {found for group in re.findall(r"\[(S-[^\]]*)\]", text) for found in mark.findall(group)}
    assert cited - {"S-"} == listed
