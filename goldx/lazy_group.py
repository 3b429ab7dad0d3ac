"""Groups of commands that import a command's module only when the command is called.

The help of such a group shows what each command does without importing it: it reads the docstring in the source.
"""

import ast
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import click

from goldx.hosting import collector


class CommandPlace(NamedTuple):
    """The place of a command: its module, and the function there. Without ``function`` the module adds it by itself."""

    module: str
    function: str | None = None


class LazyGroup(click.Group):
    """A group that knows the places of its commands by their names, and loads one when it is called.

    ``places`` is a function that returns them; it is called as often as they are needed.
    """

    def __init__(self, *args: Any, places: Callable[[], Mapping[str, CommandPlace]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(self.places())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.places().get(cmd_name)
        if place is None:
            return None
        # What a command imports stays until its process ends: collections in between would cost a fifth of its start.
        with collector.paused():
            module: Any = import_module(place.module)
        command = super().get_command(ctx, cmd_name) if place.function is None else getattr(module, place.function)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place} has no click command {cmd_name}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, as click does, from the docstrings in the sources."""
        names = self.list_commands(ctx)
        if not names:
            return
        width = formatter.width - 6 - max(map(len, names))
        trees: dict[str, ast.Module] = {}
        rows = []
        for name in names:
            place = self.places()[name]
            if place.module not in trees:
                trees[place.module] = _tree(place.module)
            command = click.Command(name, help=_docstring(trees[place.module], place.function, name))
            rows.append((name, command.get_short_help_str(width)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _tree(module: str) -> ast.Module:
    """Return the syntax of a module's source, without importing the module itself."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ast.Module([], [])
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def _docstring(tree: ast.Module, function: str | None, name: str) -> str:
    """Return the docstring of a function, or of the one that is decorated as the command ``name``."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (node.name == function or (not function and _adds(node, name))):
            return ast.get_docstring(node) or ""
    return ""


def _adds(node: ast.FunctionDef, name: str) -> bool:
    """Return whether a function is decorated as ``@group.command(name)`` or ``@group.group(name)``."""
    calls = [call for call in node.decorator_list if isinstance(call, ast.Call) and call.args]
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("command", "group")
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == name
        for call in calls
    )
