"""The ``goldx`` command, whose sub-commands are found through entry points.

The ground floor imports no upper floor; each package names its commands in pyproject.toml under ``goldx.commands``.
"""

import os
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Final

import click

from goldx.hosting.running import NotRunning
from goldx.hosting.settings import BadSettings

PRIVATE_UMASK: Final = 0o077
"""Only its own user can read the files and folders that a command creates: journal, ledger, logs, exports."""


class _SettingsRefused(click.ClickException):
    exit_code = 2


class _EntryPointGroup(click.Group):
    """A group that loads a command only when it is called: ``goldx engine`` does not import the gateway."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in _commands())})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in _commands():
            if entry.name != cmd_name:
                continue
            command = entry.load()
            if not isinstance(command, click.Command):
                raise TypeError(f"entry point {entry.value} is not a click command")
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; wrong settings end it with exit code 2 and a line for each of them."""
        try:
            return super().invoke(ctx)
        except BadSettings as error:
            raise _SettingsRefused("settings refused:\n  " + "\n  ".join(error.problems)) from error
        except NotRunning as error:
            raise click.ClickException(str(error)) from error


def _commands() -> list[EntryPoint]:
    # The benchmarks stay in the checkout: an installed wheel names their command and does not have it.
    return [entry for entry in entry_points(group="goldx.commands") if find_spec(entry.module.partition(".")[0])]


@click.group(cls=_EntryPointGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="goldx")
@click.pass_context
def main(context: click.Context) -> None:
    """GoldX: a spot exchange for non-standard gold."""
    # Everybody who may run the program may read the compiled modules.
    if context.invoked_subcommand != "build-core":
        os.umask(PRIVATE_UMASK)


if __name__ == "__main__":
    main(prog_name="goldx")
