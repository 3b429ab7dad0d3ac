"""The order of the repository: sizes, idioms, words and the place of fixtures.

Exceptions stand in ``allowed.toml``, with their present size: the list may shrink and never grow.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository.sources import CODE, PRODUCT, docstrings, files, functions, git, name_of, nodes_of, pages, text_of

MODULE_LINES, FUNCTION_LINES = 400, 70
ALLOWED_FILE = Path(__file__).with_name("allowed.toml")
ALLOWED: dict[str, dict[str, int]] = tomllib.loads(ALLOWED_FILE.read_text())
MIGRATIONS = "settlement/migrations/versions/"
"""Left out of the rules of this module, without entries: they are history, which is never changed after its release."""

METAPHORS = re.compile(
    r"\b(pictures?|photographs?|doorm[ae]n|wish(?:es)?|houses?|keepers?|riddles?|photographed)\b", re.IGNORECASE
)
OPENINGS = re.compile(r"(?:Of the|Whose|Whoever|Who(?= )|What(?= )|That(?= ))\b")
"""Beginnings of docstrings that are no sentence with a subject."""
SHARED_CLASSES = frozenset({"Account", "Cancelled", "Deal", "Order", "OwnTrade", "Placed"})
"""The same thing as engine, gateway and member's program have it: each package may have a class of that name."""
EXCHANGE = re.compile(r"(?i)(?<!assay_)(?<!assay)exchange")
"""The market. An exchange of assays is called so."""
FIXTURE = re.compile(r"pytest(_asyncio)?\.fixture\b")
SPEED = re.compile(
    r"\b(?:twice|(?:two|three|four|five|ten|several|\d+)\s+times)\s+(?:as\s+(?:fast|slow)|the\s+time|faster|slower)"
    r"|\d[\d,.]*\s+(?:micro|milli)seconds\s+of\s+processor|\d[\d,.]*\s+(?:orders|trades|messages)\s+a\s+second"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
HOUSE = re.compile(r"house (?:rules?|accounts?|arithmetic)|\bin-house\b|[`\"']house[`\"']|house\|client", re.IGNORECASE)
"""Terms of the trade with the word in them: an account's kind, and a rule that the venue made itself."""
SQL_TYPES = frozenset(("AsyncConnection", "AsyncEngine", "Row", "SQLAlchemyError"))
RUNS_SQL = frozenset(("execute", "exec_driver_sql", "scalar", "scalars", "stream"))


def product_files() -> list[Path]:
    return [file for file in files(*CODE) if not name_of(file).startswith(MIGRATIONS)]


def sizes() -> tuple[dict[str, int], dict[str, int]]:
    """The modules and functions that are longer than allowed without an entry."""
    modules: dict[str, int] = {}
    long_functions: dict[str, int] = {}
    for file in product_files():
        lines = text_of(file).count("\n")
        if lines > MODULE_LINES:
            modules[name_of(file)] = lines
        for name, length in functions(file):
            if length > FUNCTION_LINES:
                long_functions[f"{name_of(file)}:{name}"] = length
    return modules, long_functions


def test_no_module_and_no_function_is_too_long() -> None:
    """An entry is the present size, no line more; one that is no longer needed has to go. Migrations are left out."""
    modules, long_functions = sizes()
    assert modules == ALLOWED["modules"]
    assert long_functions == ALLOWED["functions"]


def test_the_list_of_exceptions_only_shrinks() -> None:
    """No entry is higher than it ever was, and none comes back that was not in the list at some time."""
    name = name_of(ALLOWED_FILE)
    versions = git("log", "--format=%H", "--", name).split()
    if not versions:
        pytest.skip("git does not know the history of the list of exceptions")
    before: list[dict[str, dict[str, int]]] = [tomllib.loads(git("show", f"{one}:{name}")) for one in versions]
    for kind, entries in ALLOWED.items():
        least = {entry: min(version[kind].get(entry, 0) for version in before) for entry in entries}
        grown = {entry: size for entry, size in entries.items() if size > least[entry]}
        assert not grown, f"new or larger exceptions: {grown}, allowed is {least}"


def comments(file: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text_of(file)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def prose(file: Path) -> list[tuple[int, str]]:
    return [*docstrings(file), *comments(file)]


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{name_of(file)}:{number}"
        for file in product_files()
        if file != Path(__file__)
        for number, line in enumerate(text_of(file).splitlines(), 1)
        if UNFINISHED.search(line) or "NotImplementedError" in line
    ]
    assert found == []


def test_docstrings_and_comments_use_no_metaphor() -> None:
    found = [
        f"{name_of(file)}:{number}: {word[0]}"
        for file in product_files()
        if file != Path(__file__) and METAPHORS.search(text_of(file))
        for number, text in prose(file)
        for word in METAPHORS.finditer(HOUSE.sub("", text))
    ]
    assert found == []


def test_figures_of_speed_stand_on_their_page_alone() -> None:
    """The page docs/benchmarks.md has machine, command and date of each; elsewhere a figure grows old unseen."""
    texts = [(name_of(file), number, text) for file in files(*PRODUCT) for number, text in prose(file)]
    texts += [(name_of(page), 1, page.read_text()) for page in pages() if page.name != "benchmarks.md"]
    found = [
        f"{name}:{number + text[: word.start()].count(chr(10))}: {word[0]}"
        for name, number, text in texts
        for word in SPEED.finditer(text)
    ]
    assert found == []


def test_docstrings_begin_with_a_sentence_or_a_term() -> None:
    found = [
        f"{name_of(file)}:{number}: {text.strip()[:60]}"
        for file in product_files()
        if file != Path(__file__)
        for number, text in docstrings(file)
        if OPENINGS.match(text.strip())
    ]
    assert found == []


def test_names_use_no_metaphor() -> None:
    banned = {"picture", "photograph", "doorman", "wish", "told", "keeper"}
    found = set()
    for file in product_files():
        for node in nodes_of(file):
            name = None
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = node.name
            elif isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                name = node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                name = node.attr
            words = set(re.findall(r"[a-z]+|[A-Z][a-z]+", name or ""))
            if {word.lower() for word in words} & banned:
                found.add(f"{name_of(file)}: {name}")
    assert sorted(found) == []


def test_no_two_classes_of_the_product_share_a_name() -> None:
    """Private ones neither: who reads a name in a message, a search or a traceback knows what it means."""
    places: dict[str, list[str]] = {}
    for file in files(*PRODUCT):
        for node in nodes_of(file):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name_of(file))
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in twice.items() if name not in SHARED_CLASSES} == {}
    assert set(twice) == SHARED_CLASSES, "the list has no name too many"
    packages = {name: [place.partition("/")[0] for place in found] for name, found in twice.items()}
    assert {name: found for name, found in packages.items() if len(set(found)) < len(found)} == {}


def test_exchange_means_the_market() -> None:
    """In names of settlement and of the core, which have no class or function about the market as a whole."""
    found = [
        f"{name_of(file)}:{node.lineno}: {node.name}"
        for file in files("settlement", "matching/core", "api/settlement_routes")
        for node in nodes_of(file)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and EXCHANGE.search(node.name)
    ]
    assert found == []


def grouped_only_for_the_formatter(file: Path) -> Iterator[int]:
    """Lines of a starred tuple inside a tuple or call, and of an unpacked dict display inside a dict display."""
    for node in nodes_of(file):
        if isinstance(node, ast.Starred) and isinstance(node.value, (ast.Tuple, ast.List)):
            yield node.lineno
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from (value.lineno for key, value in pairs if key is None and isinstance(value, ast.Dict))


def test_nothing_exists_only_to_please_the_formatter() -> None:
    found = [f"{name_of(file)}:{line}" for file in product_files() for line in grouped_only_for_the_formatter(file)]
    assert found == []


def test_the_product_does_not_swallow_errors() -> None:
    """No bare ``except:``, and no ``except Exception: pass``."""
    found = []
    for file in files(*PRODUCT):
        for node in nodes_of(file):
            if isinstance(node, ast.ExceptHandler):
                everything = isinstance(node.type, ast.Name) and node.type.id in ("BaseException", "Exception")
                silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                if node.type is None or (silent and everything):
                    found.append(f"{name_of(file)}:{node.lineno}")
    assert found == []


def test_answers_name_the_fields_of_their_rows() -> None:
    """A route shows the fields that its ``Projection`` names, not whatever a row of settlement has or will have."""
    found = [
        f"{name_of(file)}:{node.lineno}"
        for file in files("api")
        for node in nodes_of(file)
        if isinstance(node, ast.Attribute) and node.attr in ("_asdict", "_mapping")
    ]
    assert found == []


def test_routes_and_commands_hold_no_sql() -> None:
    """They import the types of connections and rows alone, and run no statement: the folders of the business do."""
    found = []
    for file in files("api", "settlement/clerk"):
        for node in nodes_of(file):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlalchemy":
                names = {one.name for one in node.names}
                found += [f"{name_of(file)}:{node.lineno}: {name}" for name in sorted(names - SQL_TYPES)]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL:
                of = node.func.value
                if isinstance(of, ast.Name) and of.id == "connection":
                    found.append(f"{name_of(file)}:{node.lineno}: {node.func.attr}")
    assert found == []


def test_the_product_makes_no_float_of_a_price_a_weight_or_an_amount() -> None:
    """Spreadsheets hold numbers as floats: the reader of their cells compares with them, and nobody else."""
    found = [
        f"{name_of(file)}:{node.lineno}"
        for file in files("matching", "settlement")
        if not name_of(file).startswith("settlement/workbooks/")
        for node in nodes_of(file)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    ]
    assert found == []


def test_fixtures_live_in_conftest() -> None:
    found = [
        f"{name_of(file)}: {node.name}"
        for file in files("tests")
        if file.name != "conftest.py"
        for node in nodes_of(file)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and any(FIXTURE.match(ast.unparse(decorator)) for decorator in node.decorator_list)
    ]
    assert found == []
