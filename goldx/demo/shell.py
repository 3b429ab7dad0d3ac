"""A shell for ``goldx`` commands: one child process that runs one command after another, without a new start for each.

The child is ``python -m goldx.demo.shell``. A request is a JSON array of arguments on one line, the result one JSON
line with the exit code and what the command printed.
"""

import asyncio
import contextlib
import io
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from goldx.cli import main


class CommandResult(msgspec.Struct, frozen=True):
    """The result of one command: ``output`` is its standard output, ``error`` why it failed."""

    exit_code: int
    output: str
    error: str = ""


class CommandFailed(RuntimeError):
    """A ``goldx`` command ended with another exit code than 0."""


class Shell:
    """``async with Shell(environment) as shell: await shell.run("member", "add", ...)``, one command at a time."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> "Shell":
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "goldx.demo.shell",
                env=dict(self._environment),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=1 << 26,
                start_new_session=True,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def run(self, *arguments: str) -> str:
        """Run a command and return what it printed. Raises CommandFailed with the command and its error."""
        result = await self.execute(*arguments)
        if result.exit_code != 0:
            raise CommandFailed(f"{_command_line(arguments)}: {result.error or result.output}".strip())
        return result.output

    async def execute(self, *arguments: str) -> CommandResult:
        """Run a command and return its result, whatever its exit code. Raises CommandFailed if the child has ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        async with self._turn:
            stdin.write(msgspec.json.encode(arguments) + b"\n")
            line = await stdout.readline()
        if not line:
            raise CommandFailed(f"{_command_line(arguments)}: its process ended; see {self._log}")
        return msgspec.json.decode(line, type=CommandResult)


def _command_line(arguments: tuple[str, ...]) -> str:
    return " ".join(("goldx", *arguments))


def _execute(arguments: list[str]) -> CommandResult:
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(printed):
        try:
            exit_code = main.main(arguments, prog_name="goldx", standalone_mode=False)
        except click.ClickException as error:
            return CommandResult(error.exit_code, _text(printed), error.format_message())
        except SystemExit as end:
            return CommandResult(end.code if isinstance(end.code, int) else 1, _text(printed), str(end.code))
    return CommandResult(exit_code or 0, _text(printed))


def _text(printed: io.TextIOWrapper) -> str:
    printed.flush()
    buffer = printed.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


if __name__ == "__main__":
    for request in sys.stdin.buffer:
        result = msgspec.json.encode(_execute(msgspec.json.decode(request, type=list[str])))
        sys.stdout.buffer.write(result + b"\n")
        sys.stdout.buffer.flush()
