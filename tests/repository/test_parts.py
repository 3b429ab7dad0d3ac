"""GoldX installs in parts: the wheel alone is the member's client, typed; its extra ``server`` is the exchange."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PACKAGES = ("api", "goldx", "matching", "settlement")
FOUR = {"cryptography", "msgspec", "sortedcontainers", "websockets"}
EVERY_MODULE = """
import importlib, pkgutil, sys
import goldx.client, goldx.protocol
for package in (goldx.client, goldx.protocol):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith("goldx.")))
"""
MEMBER = """
from goldx.client import Key, connect

async def buy(quantity: {quantity}) -> str:
    async with connect("http://127.0.0.1:8600", Key.load("key.pem")) as exchange:
        placed = await exchange.place(account="A", symbol="AU", side="buy", price="925.00", quantity=quantity)
        return placed["order"]["status"]
"""


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)


def test_the_wheel_holds_the_four_packages_as_sources_and_their_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert not [name for name in names if name.endswith((".so", ".pyc"))]


@pytest.mark.campaign
def test_the_client_comes_with_four_distributions_and_what_those_need(client_python: Path, tmp_path: Path) -> None:
    ask = "from importlib.metadata import distributions as d; print(*(x.name.lower() for x in d()))"
    installed = set(run(client_python, "-c", ask, cwd=tmp_path).stdout.split())
    assert installed >= FOUR | {"goldx"}
    # cffi and what it is built on come with cryptography.
    assert installed - FOUR - {"goldx"} <= {"cffi", "pycparser"}


@pytest.mark.campaign
def test_every_module_of_client_and_protocol_imports_there(client_python: Path, tmp_path: Path) -> None:
    done = run(client_python, "-W", "error", "-c", EVERY_MODULE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"goldx.client.session", "goldx.client.local_book", "goldx.protocol.wire"} <= set(done.stdout.split())
    assert not re.search(r"goldx\.(streams|hosting|demo)", done.stdout)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("quantity", "message"), [("str", None), ("float", '"quantity" .* has incompatible type "float"')]
)
def test_a_member_program_is_type_checked(
    client_python: Path, tmp_path: Path, quantity: str, message: str | None
) -> None:
    (tmp_path / "member.py").write_text(MEMBER.format(quantity=quantity))
    checker = (sys.executable, "-m", "mypy", "--strict", "--python-executable", client_python)
    done = run(*checker, "--cache-dir", client_python.parent / "mypy", "member.py", cwd=tmp_path)
    if message is None:
        assert done.returncode == 0, done.stdout
    else:
        assert re.search(message, done.stdout)
        assert "Found 1 error" in done.stdout


@pytest.mark.campaign
@pytest.mark.parametrize("command", ["goldx", "goldx --help", "goldx demo --json", "python -m goldx demo"])
def test_the_command_says_what_is_missing(client_python: Path, tmp_path: Path, command: str) -> None:
    program, *arguments = command.split()
    done = run(client_python.with_name(program), *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        r"goldx: there is no module click\. This installation has the member's client \(goldx\.client\), but not all "
        r"that the exchange needs \(alembic, asyncpg, click and \d+ more\)\. "
        r"To install it: pip install 'goldx\[server\]'\n",
        done.stderr,
    )
