"""The modules that ``goldx`` imports before a command begins: a clerk waits for them at every command."""

import asyncio
import os
import sys

import click
import pytest
from click.testing import CliRunner

from goldx.cli import main
from goldx.lazy_group import LazyGroup
from settlement.base import registry
from settlement.clerk import clerk
from settlement.clerk.group import MODULES
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import SmallExchange

RUN = """
import sys
from goldx.cli import main
try:
    main(sys.argv[1:], prog_name="goldx")
finally:
    print(*sys.modules, file=sys.stderr)
"""
OURS = {"goldx", "matching", "settlement", "api", "benchmarks"}
OF_THE_SYSTEM = {"sitecustomize", "usercustomize"}
"""Modules that Python imports at its start where a system has them, as Debian does."""
NOT_FOR_A_LIST = {"redis", "hiredis", "structlog", "rich", "httpx", "websockets", "alembic", "mako", "openpyxl"}
NOT_FOR_A_LIST |= {"fastapi", "uvicorn", "nicegui", "cryptography", "segno", "pylopdf_fonts_zh_cn"}
"""Packages that a list of lots has no use for."""


async def modules_of(*words: str) -> set[str]:
    """Run ``goldx`` in a process of its own; return the names of the modules that it has imported at the end."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, *words, stdout=-1, stderr=-1)
    out, error = await process.communicate()
    assert process.returncode == 0, (out + error).decode()
    return set(error.decode().split())


def packages(modules: set[str]) -> set[str]:
    """Return the packages that are neither ours nor in the standard library."""
    found = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names) - OURS - OF_THE_SYSTEM
    return {name for name in found if not name.startswith("_")}


async def test_help_imports_nothing_but_click() -> None:
    """``goldx --help`` imported every service: 1,900 modules and more."""
    for words in (("--help",), ("operator", "--help")):
        assert packages(await modules_of(*words)) == {"click"}, words
    found = await modules_of("clerk", "--help")
    assert packages(found) == {"click"}
    assert {name for name in found if name.startswith("settlement.")} == {"settlement.clerk", "settlement.clerk.group"}


@pytest.mark.usefixtures("configured_database")
async def test_a_list_imports_what_it_needs() -> None:
    await goldx("staff", "add", "clerk-1", "--name", "Clerk", "--permissions", "settle")
    found = await modules_of("clerk", "--as", "clerk-1", "lots")
    assert packages(found) & NOT_FOR_A_LIST == set()
    ours = {name for name in found if name.startswith("settlement.clerk.")}
    assert ours == {"settlement.clerk.group", "settlement.clerk.options", "settlement.clerk.lots"}
    assert len({name for name in found if name.startswith(("settlement.", "goldx."))}) <= 150


def test_every_command_is_where_the_group_looks_for_it() -> None:
    """The groups tell by the sources what a command does; it is what the command says itself."""
    for group in (main, clerk):
        assert isinstance(group, LazyGroup)
        context = click.Context(group, info_name="goldx")
        shown = CliRunner().invoke(group, ["--help"]).output
        for name, place in group.places().items():
            command = group.get_command(context, name)
            assert command is not None, name
            if place.function is None:
                assert command.callback is not None
                assert command.callback.__module__ == place.module, name
            assert command.get_short_help_str(60)[:20] in shown, name
    assert clerk.commands.keys() == {name for names in MODULES.values() for name in names.split()}


def test_help_needs_nobody_and_everything_else_does() -> None:
    """``goldx clerk ... --help`` asked for ``--as`` first."""

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        result = CliRunner().invoke(main, ["clerk", *words, "--help"])
        assert result.exit_code == 0, (words, result.output)
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                found = command.get_command(click.Context(command), name)
                assert found is not None
                walk(found, (*words, name))

    walk(clerk, ())
    for words in (["clerk", "lots"], ["clerk", "approve", "1"], ["clerk", "reconcile"], ["day", "close"]):
        result = CliRunner().invoke(main, words, env={"GOLDX_CLERK": None}, prog_name="goldx")
        assert result.exit_code == 2
        assert f"--as must say who acts: goldx {words[0]} --as NAME" in result.output
    commitment = ["assay", "commitment", "1", "--replicate", "999.1", "--replicate", "999.2"]
    assert CliRunner().invoke(main, ["clerk", *commitment]).exit_code == 0, "a laboratory has no --as to give"


async def test_a_reader_that_has_seen_enough_of_a_list_is_no_error(exchange: SmallExchange, migrated_url: str) -> None:
    """``goldx clerk ... | head``: the pipe is closed before the list is written."""
    async with exchange.engine.begin() as connection:
        for number in range(300):
            await registry.add_member(connection, "test", f"M{number}", "Member " * 8)
    read, write = os.pipe()
    os.close(read)
    program = (sys.executable, "-m", "goldx.cli", "member", "list")
    environment = os.environ | {"GOLDX_DATABASE_URL": migrated_url}
    process = await asyncio.create_subprocess_exec(
        *program, env=environment, stdout=write, stderr=asyncio.subprocess.PIPE
    )
    os.close(write)
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (1, "")
