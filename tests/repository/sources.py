"""The repository's own files, as the tests of its order read them."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from goldx.hosting import collector

ROOT = Path(__file__).parents[2]
PRODUCT = ("goldx", "matching", "settlement", "api")
CODE = (*PRODUCT, "tests", "benchmarks")
PAGES = ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md")


@cache
def files(*folders: str) -> tuple[Path, ...]:
    """The Python files of some top-level folders that git tracks or would track, in order."""
    listed = git("ls-files", "-co", "--exclude-standard", "--", *folders)
    if not listed:  # an unpacked archive has no git
        return tuple(sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py")))
    names = (ROOT / name for name in listed.splitlines() if name.endswith(".py"))
    return tuple(sorted(file for file in names if file.exists()))


def git(*arguments: str) -> str:
    """Return the output of a git command; it is empty where there is no repository or no git."""
    if shutil.which("git") is None:
        return ""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


@cache
def text_of(file: Path) -> str:
    """The content of a file."""
    return file.read_text()


@cache
def tree_of(file: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    # A million nodes stay to the end: the collector would look at all of them over and over again.
    with collector.paused():
        return ast.parse(text_of(file))


@cache
def nodes_of(file: Path) -> tuple[ast.AST, ...]:
    """Every node of the syntax tree of a Python file, in the order of ``ast.walk``, which takes a second for all."""
    return tuple(ast.walk(tree_of(file)))


def name_of(file: Path) -> str:
    """The path of a file within the repository."""
    return file.relative_to(ROOT).as_posix()


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """The qualified name and the number of lines of every function of a file, methods and nested ones too."""

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{within}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    yield name, (child.end_lineno or child.lineno) - child.lineno + 1
                yield from walk(child, f"{name}.")
            else:
                yield from walk(child, within)

    return walk(tree_of(file), "")


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of every docstring of a file, those of attributes too."""
    for node in nodes_of(file):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def pages() -> list[Path]:
    """The pages for people: those beside the packages, and everything under docs/."""
    return [*(ROOT / page for page in PAGES), *sorted((ROOT / "docs").rglob("*.md"))]
