"""The pages and the program name the same things: paths, commands, settings, methods and reasons.

A name in backticks or in a block of the pages has to exist, and every reason of a refusal has to stand on a page.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from goldx.hosting.settings import PREFIX, Settings
from goldx.protocol.commands import BY_METHOD
from goldx.protocol.events import AnyEvent
from goldx.protocol.reasons import REASONS
from settlement.documents.registered import STANDINGS
from tests.repository.sources import CODE, PRODUCT, ROOT, files, name_of, nodes_of, pages, text_of

PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|toml|yml|lock|jsonl)")
OURS = (*CODE, "docs", "requirements", ".ci")
MADE_AT_RUN_TIME = re.compile(r"_compiled|goldx-data|\.venv|run/|logs/|keys/|postgres/|valkey/|archive/")
OF_THE_READER = {"goldx.toml", "journal.jsonl", "events.jsonl", "chain.py"}
"""Files that the reader of a page makes."""
GOLDX = re.compile(r"(?:\.venv/bin/|python3 -m )?goldx (?P<rest>.+)")
EVENTS = {kind.event for kind in AnyEvent.__args__}
SUBJECTS = sorted(
    {name.partition(".")[0] for name in (*BY_METHOD, *EVENTS)} | {"session", "clock", "channel", "exchange"}
)
METHOD = re.compile(rf"(?:{'|'.join(SUBJECTS)})\.[a-z_]+")
REASON = re.compile(r"[A-Z]{3,}(?:_[A-Z0-9]+)+")
COMMANDS = {entry.name: entry for entry in entry_points(group="goldx.commands")}
NO_COMMANDS = {"test", "full"}
"""``python3 -m goldx test`` is the bootstrap's, and an engine of ``goldx bench matching`` is called ``goldx full``."""


def spans(page: Path) -> Iterator[str]:
    """Yield what a page has in single backticks, and the lines of its blocks of console input."""
    text = page.read_text()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for language, block in blocks:
        if language in ("console", "sh", "shell", "bash"):
            yield from re.findall(r"^\$ (.+)$", block.replace("\\\n", " "), re.MULTILINE)
    without = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", without))


@cache
def everything() -> str:
    return "\n".join(text_of(file) for file in files(*CODE))


def id_of(page: Path) -> str:
    return name_of(page)


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_path_exists(page: Path) -> None:
    missing = []
    for span in spans(page):
        if not PATH.fullmatch(span) or MADE_AT_RUN_TIME.search(span) or span in OF_THE_READER:
            continue
        if "/" in span and span.partition("/")[0] not in OURS:
            continue
        exists = (ROOT / span).exists() or (page.parent / span).exists()
        if not exists and "/" not in span:
            exists = any(ROOT.glob(f"*/{span}")) or any(ROOT.glob(f"*/*/{span}"))
        if not exists:
            missing.append(span)
    assert missing == []


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text())
    missing = [target for target, _ in links if target and not (page.parent / target).exists()]
    assert missing == []


def options_of(command: click.Command) -> set[str]:
    return {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)}


def default_of(command: click.Command) -> list[click.Command]:
    """The commands of a group, one of which it may choose when none is named."""
    if not isinstance(command, click.Group):
        return []
    context = click.Context(command)
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [one for one in found if one is not None]


def wrong_words(words: list[str]) -> str:
    """Return the part of a ``goldx`` command line that does not exist, or an empty text."""
    name, *rest = words
    if name in NO_COMMANDS or name.startswith("-"):
        return ""
    if name not in COMMANDS:
        return f"goldx {name}"
    command: click.Command = COMMANDS[name].load()
    chain = [command]
    for word in rest:
        if word.startswith("--") and len(word) > 2:
            option = word.partition("=")[0]
            known = {text for one in (*chain, *default_of(command)) for text in options_of(one)}
            if option not in known | {"--help"}:
                return f"{name}: {option}"
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            found = command.get_command(click.Context(command), word)
            if found is None:
                previous = chain[-1].params
                if any(parameter.opts for parameter in previous if not getattr(parameter, "is_flag", False)):
                    continue  # the value of an option before the sub-command
                return f"{name} ... {word}"
            command = found
            chain.append(command)
    return ""


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_command_exists(page: Path) -> None:
    wrong = set()
    for span in spans(page):
        for part in re.split(r" [|&>]+ ", span):
            match = GOLDX.fullmatch(part.strip())
            if match is None or not re.match(r"[a-z-]+( |$)", match["rest"]):
                continue
            try:
                words = shlex.split(match["rest"].replace("…", "").replace("...", ""), comments=True)
            except ValueError:
                words = match["rest"].split()
            if words:
                wrong.add(wrong_words(words))
    assert wrong <= {""}


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_setting_exists(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]\b", page.read_text()))
    settings = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert {name for name in named - settings if f'"{name}"' not in everything() and name not in compose()} == set()


@cache
def compose() -> str:
    return (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_method_and_event_exists(page: Path) -> None:
    sources = "".join(text_of(file) for file in files("api", "settlement", "goldx"))
    called = set(re.findall(r'"([a-z]+\.[a-z_]+)"', sources))
    recorded = {f"{kind}.{step}" for kind, machine in STANDINGS.items() for step in machine.steps}
    named = {span for span in spans(page) if METHOD.fullmatch(span)}
    assert {
        name for name in named - BY_METHOD.keys() - EVENTS - called - recorded if not (ROOT / name).exists()
    } == set()


@pytest.mark.parametrize("page", pages(), ids=id_of)
def test_every_code_word_exists(page: Path) -> None:
    named = {word for span in spans(page) if REASON.fullmatch(span) for word in [span]}
    assert {name for name in named if name not in everything() and name not in compose()} == set()


def raised_reasons() -> set[str]:
    """The reasons that the product gives: what refusals are made of, and every word in capitals of the core.

    The core hands reasons on before it refuses; it has no other such words.
    """
    reasons: set[str] = set()
    for file in files(*PRODUCT):
        if file.parent == ROOT / "matching" / "core":
            reasons |= {text for node in nodes_of(file) for text in _texts(node)}
            continue
        for node in nodes_of(file):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in ("Refused", "Refusal", "refuse", "__init__") and node.args:
                reasons |= {text for part in ast.walk(node.args[0]) for text in _texts(part)}
    return {reason for reason in reasons if re.fullmatch(r"[A-Z][A-Z_]*[A-Z]", reason)}


def _texts(node: ast.AST) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def test_every_reason_is_in_the_table_of_the_page_that_shows_reasons() -> None:
    """Settlement's refusals are in docs/reasons.md, those of the exchange in docs/protocol.md."""
    row = re.compile(r"^\| `([A-Z_]+)`", re.MULTILINE)
    of_exchange = set(row.findall((ROOT / "docs" / "protocol.md").read_text()))
    of_settlement = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "reasons.md").read_text()))
    assert sorted(REASONS.keys() - of_exchange) == []
    assert sorted(raised_reasons() - of_exchange - of_settlement) == []
