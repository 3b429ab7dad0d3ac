"""The ``goldx`` command, whose sub-commands are found through entry points.

The ground floor imports no upper floor; each package names its commands in pyproject.toml under ``goldx.commands``.
"""

import os
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any, Final

import click

from goldx.hosting.errors import BadSettings, NotRunning
from goldx.lazy_group import CommandPlace, LazyGroup

PRIVATE_UMASK: Final = 0o077
"""Files and folders that a command makes are for its own user alone: journal, ledger, logs, exports."""


class _SettingsRefused(click.ClickException):
    exit_code = 2


class _EntryPointGroup(LazyGroup):
    """The group of the entry points: ``goldx engine`` does not import the gateway."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; wrong settings end it with exit code 2 and a line for each of them."""
        try:
            return super().invoke(ctx)
        except BadSettings as error:
            raise _SettingsRefused("settings refused:\n  " + "\n  ".join(error.problems)) from error
        except NotRunning as error:
            raise click.ClickException(str(error)) from error
        except click.ClickException as error:
            if isinstance(error.__cause__, BrokenPipeError):
                # Whoever reads the output has seen enough (``| head``), which is nothing to report.
                raise error.__cause__ from None
            raise


@cache
def _places() -> Mapping[str, CommandPlace]:
    # The benchmarks stay in the checkout: an installed wheel names their command and does not have it.
    found = [entry for entry in entry_points(group="goldx.commands") if find_spec(entry.module.partition(".")[0])]
    return {entry.name: CommandPlace(entry.module, entry.attr) for entry in found}


@click.group(cls=_EntryPointGroup, places=_places, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="goldx")
@click.pass_context
def main(context: click.Context) -> None:
    """GoldX: a spot exchange for non-standard gold."""
    # What is compiled may be used by whoever may run the program.
    if context.invoked_subcommand != "build-core":
        os.umask(PRIVATE_UMASK)


if __name__ == "__main__":
    main(prog_name="goldx")
