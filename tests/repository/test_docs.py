"""The pages under docs/: what the code cites from them is there, and they name each term once."""

import ast
import re
from pathlib import Path

import pytest

from settlement.documents.lots import LOT
from settlement.documents.machines import MACHINES
from settlement.reconciliation import histories
from tests.repository.sources import CODE, PRODUCT, ROOT, files, name_of, nodes_of, pages, text_of

DOCS = ROOT / "docs"
NUMBER = r"\d+(?:\.\d+)?"
CITATION = re.compile(rf"[Dd]omain sheet ({NUMBER}(?:(?:, | and | to ){NUMBER})*)")


def sections(page: str) -> set[str]:
    """Return the numbers of a page's headings, and of its bullets that begin with a number in bold."""
    return set(re.findall(rf"^(?:#+ |- \*\*)({NUMBER})\.?(?= |$|\*\*)", page, re.MULTILINE))


def citations(source: str) -> set[str]:
    """Return the sections of the domain sheet that a source cites, over the ends of lines of text and comments."""
    running = re.sub(r"\s*\n\s*(?:# )?", " ", source)
    return {number for cited in CITATION.findall(running) for number in re.findall(NUMBER, cited)}


def test_citations_are_read_over_the_end_of_a_line() -> None:
    source = '"""Weights (domain\n    sheet 4.1, 4.3 and 8.1 to 8.3): so."""\n# Domain sheet\n# 10'
    assert citations(source) == {"4.1", "4.3", "8.1", "8.3", "10"}


def test_every_section_of_the_domain_sheet_that_is_cited_exists() -> None:
    known = sections((DOCS / "domain.md").read_text())
    cited = {file: citations(text_of(file)) for file in files(*CODE) if file != Path(__file__)}
    assert sum(map(len, cited.values())) > 40, "the citations are not found any more"
    missing = {name_of(file): sorted(numbers - known) for file, numbers in cited.items()}
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


def glossary() -> dict[str, list[tuple[str, str, str]]]:
    """Return each chapter of the glossary with its terms: English, Chinese, identifier; the last two may be empty."""
    chapters = (DOCS / "glossary.md").read_text().split("\n## ")[1:]
    row = re.compile(r"^\| ([^|]+) \| ([^|]*)\| (?:`([^`|]+)` )?\| [^|]+ \|$", re.MULTILINE)
    found = {
        chapter.partition("\n")[0]: [
            (english, chinese.strip(), identifier)
            for english, chinese, identifier in row.findall(chapter)
            if english != "English"
        ]
        for chapter in chapters
    }
    return {chapter: terms for chapter, terms in found.items() if terms}


def test_the_glossary_has_each_term_once_in_both_languages() -> None:
    terms = [term for chapter in glossary().values() for term in chapter]
    assert len(terms) > 150
    assert all(chinese for _, chinese, _ in terms)
    for column in range(3):
        words = [term[column] for term in terms if term[column]]
        assert sorted({word for word in words if words.count(word) > 1}) == []


def test_every_identifier_of_the_glossary_is_used_by_the_product() -> None:
    code = "\n".join(text_of(file) for file in files(*PRODUCT, "benchmarks"))
    used = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*", code))
    used |= {part for word in used for part in word.split(".")}
    chapters = {chapter: terms for chapter, terms in glossary().items() if chapter != "Words that wait"}
    unused = [term for terms in chapters.values() for _, _, term in terms if term and term not in used]
    assert unused == [], "take the word that the code uses, or move the term to 'Words that wait'"


def texts_of_the_product() -> str:
    """Return the texts and class names of the code but docstrings, one a line; of f-strings the constant parts."""
    nodes = [node for file in files(*PRODUCT) for node in nodes_of(file)]
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    constants = [node for node in nodes if isinstance(node, ast.Constant) and node not in docstrings]
    texts = [node.value for node in constants if isinstance(node.value, str)]
    return "\n".join([*texts, *(node.name for node in nodes if isinstance(node, ast.ClassDef))])


def runbook() -> dict[str, str]:
    """Return the entries of the operator's runbook by their headings."""
    entries = (DOCS / "operator.md").read_text().partition("\n## Runbook\n")[2].split("\n#### ")[1:]
    return {heading: text for heading, _, text in (entry.partition("\n") for entry in entries)}


def test_every_entry_of_the_runbook_says_what_to_see_check_do_and_verify() -> None:
    entries = runbook()
    assert len(entries) > 25
    for heading, text in entries.items():
        assert re.findall(r"^- \*\*(\w+)\.\*\* \S", text, re.MULTILINE) == ["Symptom", "Check", "Act", "Verify"], (
            heading
        )


def test_the_runbook_quotes_messages_that_the_product_has() -> None:
    texts = texts_of_the_product()
    quoted = [quote for heading in runbook() for quote in re.findall(r"`([^`]+)`", heading)]
    assert len(quoted) > 20
    parts = {part for quote in quoted for part in re.split(r"\s*…\s*", quote) if len(part) > 2}
    assert {part for part in parts if part not in texts} == set()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_the_chapters_that_a_page_refers_to_exist(page: Path) -> None:
    """A reference is a link to a page, a comma, and the beginning of a heading in italics."""
    text = page.read_text().replace("\n", " ")
    for target, chapter in re.findall(r"\(([\w./-]+\.md)\), \*([^*]+)\*", text):
        headings = re.findall(r"^#+ (.*)$", (page.parent / target).read_text(), re.MULTILINE)
        assert any(heading.startswith(chapter) for heading in headings), f"{target} has no chapter {chapter}"


def test_the_maintainers_map_has_every_folder_of_the_product() -> None:
    shown = set(re.findall(r"^\| `([\w/]+/)` \|", (DOCS / "maintainer.md").read_text(), re.MULTILINE))
    folders = {
        f"{init.parent.relative_to(ROOT)}/" for product in PRODUCT for init in (ROOT / product).glob("*/__init__.py")
    }
    assert shown == folders


def test_the_page_shows_every_step_in_the_life_of_a_lot() -> None:
    chapter = (DOCS / "settlement.md").read_text().partition("\n## The life of a lot\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| (\w+) \| [^|]*\| ([A-Z_]+|as before) \|", chapter, re.MULTILINE)
    assert dict(shown) == {name: step.after for name, step in LOT.steps.items()}
    assert len(shown) == len(LOT.steps)


NOT_COMPARED = {
    "break": "a break",
    "withdrawal": "a withdrawal",
    "withdrawal_limit": "a limit of withdrawals",
    "payee_account": "a member's account at a bank",
    "account_statement": "a statement of account",
    "invoice": "an invoice",
    "day_difference": "a difference at a day's end",
    "assay_exchange_party": "one party's part in an exchange of assays",
}
"""The documents whose state is not compared with the audit log: state machine, and words of the auditor's page."""


def test_the_auditors_page_names_the_documents_whose_state_is_not_compared_with_the_acts() -> None:
    """Lots are compared with their custody events and proposals with acts of their own."""
    assert MACHINES.keys() - histories.TABLES.keys() - {"lot", "proposal"} == NOT_COMPARED.keys()
    page = re.sub(r"\s+", " ", (DOCS / "auditor.md").read_text())
    sentence = page.partition("Not compared with the acts is the state ")[2].partition(". ")[0]
    assert re.split(r", (?:and )?", sentence) == [f"of {words}" for words in NOT_COMPARED.values()]
