"""``python3 -m goldx ...`` from a checkout, on a machine that has nothing but Python: the standard library alone.

The first run makes ``.venv`` in the checkout for the Python that runs it, installs the hash-pinned lock and the
checkout itself into it, and hands over to the ``goldx`` command there; a later run finds all that done and only hands
over.
``python3 -m goldx test`` installs what the tests need as well and runs them, ``python3 -m goldx build-core`` what
compiling needs. Messages go to standard error.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from ctypes.util import find_library
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARKER = VENV / "goldx-installed.json"
LOCK = ROOT / ".venv.lock"
"""A lock file that is held while .venv is being made; it is not empty if that was interrupted."""
PIP: list[object] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--require-virtualenv"]
IN_PARALLEL = ("-n", str(min(len(os.sched_getaffinity(0)) + 1, 4)), "--dist", "loadfile", "--no-loadscope-reorder")
"""The whole suite runs in one process more than there are cores, as many tests wait for servers, up to four; each has
servers of its own. ``-n 0`` takes one. The files keep the order that ``tests/conftest.py`` gives them."""
BROWSER = ("chromium", "fonts-noto-cjk", "libatomic1")
"""Chromium, a font with Chinese, and a library that Playwright's driver is linked with."""


def main(arguments: list[str]) -> None:
    """Set up what is missing. Never returns: the process becomes the command, or exits."""
    if VERSION not in SUPPORTED:
        _become_supported(arguments)
    if not (ROOT / "requirements" / "runtime.lock").is_file():
        # An installed wheel, which has no .venv to make.
        from goldx.entry import main as command

        command(arguments)
    testing = arguments[:1] == ["test"]
    try:
        _set_up("dev" if testing else "runtime")
        if testing:
            _find_browser()
        if arguments[:1] == ["build-core"]:
            _find_compiler()
    except subprocess.CalledProcessError as error:
        _end(f"this failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}")
    except OSError as error:
        _end(str(error))
    except KeyboardInterrupt:
        _end("interrupted; the next run starts the set-up again")
    if testing:
        os.chdir(ROOT)
        named = any(Path(word.partition("::")[0]).exists() for word in arguments[1:])
        os.execv(PYTHON, [str(PYTHON), "-m", "pytest", *(() if named else IN_PARALLEL), *arguments[1:]])
    command_file = VENV / "bin" / "goldx"
    os.execv(command_file, [str(command_file), *arguments])


def _become_supported(arguments: list[str]) -> None:
    """Start again with a Python of this machine that is supported, the newest first; otherwise end."""
    for version in reversed(SUPPORTED):
        other = shutil.which(f"python{version}")
        # A shim of a version manager may be there without the Python behind it.
        if other and subprocess.run([other, "-c", ""], capture_output=True, check=False).returncode == 0:
            os.execv(other, [other, "-m", "goldx", *arguments])
    supported = f"Python {SUPPORTED[0]} to {SUPPORTED[-1]}"
    _end(f"GoldX runs on {supported}; this is {sys.version.split()[0]}, and no other that could run it was found")


def _say(line: str) -> None:
    print(f"goldx: {line}", file=sys.stderr, flush=True)


def _end(line: str) -> None:
    _say(line)
    sys.exit(1)


def _run(*command: object) -> None:
    # Standard output belongs to the command that follows: `demo --json` is read by programs.
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _state() -> str:
    """Return a digest that changes whenever what should be installed changes."""
    digest = hashlib.sha256(f"{VERSION} {ROOT}".encode())
    for file in [*sorted((ROOT / "requirements").glob("*.lock")), ROOT / "pyproject.toml"]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _is_ready(level: str, state: str) -> bool:
    try:
        marker = json.loads(MARKER.read_text())
    except (OSError, ValueError):
        return False
    # dev.lock holds everything of runtime.lock.
    return bool(PYTHON.exists() and marker["state"] == state and marker["level"] in (level, "dev"))


def _set_up(level: str) -> None:
    state = _state()
    if _is_ready(level, state):
        return
    with LOCK.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another set-up of this checkout to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_ready(level, state):
            return
        if VENV.exists():
            found = _version_of_venv()
            if os.fstat(lock.fileno()).st_size or found is None:
                _say("the .venv of an earlier set-up is not whole; starting again")
                shutil.rmtree(VENV)
            elif found != VERSION:
                _say(f".venv was made for Python {found}, and this is {VERSION}; starting again")
                shutil.rmtree(VENV)
        lock.write("unfinished\n")
        lock.flush()
        _install(level, state)
        lock.truncate(0)


def _install(level: str, state: str) -> None:
    began = time.monotonic()
    if not VENV.exists():
        if importlib.util.find_spec("ensurepip") is None:
            _apt_install(f"python{VERSION}-venv")
        _say(f"making {VENV}")
        _run(sys.executable, "-m", "venv", VENV)
    MARKER.unlink(missing_ok=True)
    _say(f"installing requirements/{level}.lock into .venv, every file checked against its hash")
    installer = _install_lock(_installer(), ROOT / "requirements" / f"{level}.lock")
    _say("installing the checkout itself")
    _run(*installer, "--no-deps", "--no-build-isolation", "-e", ROOT)
    MARKER.write_text(json.dumps({"state": state, "level": level}))
    _say(f"ready after {time.monotonic() - began:.1f} s")


def _version_of_venv() -> str | None:
    """Return the version of the Python in .venv, as "3.11"; None if it does not start or has no pip."""
    probe = "import sys, pip; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _apt_install(*packages: str) -> None:
    """Install Debian packages as root; otherwise end with the command that does it."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _end(f"needs {' and '.join(packages)}; please run: sudo apt-get install -y {' '.join(packages)}")
    _say(f"installing {', '.join(packages)} with apt-get")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def _installer() -> list[object]:
    """Return the command that installs: uv's if uv can be had, which is faster, else pip's."""
    uv = VENV / "bin" / "uv"
    try:
        _run(*PIP, "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "bootstrap.lock")
        subprocess.run([uv, "--version"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        _say("uv does not work here; using pip")
        return [*PIP]
    # Bytecode is compiled once, here: every service is a process, and each would compile what it imports.
    return [uv, "pip", "install", "--python", PYTHON, "--compile-bytecode"]


def _install_lock(installer: list[object], lock: Path) -> list[object]:
    """Install a lock and return the installer that could. uv ignores pip's configuration, so pip may find more."""
    try:
        _run(*installer, "--require-hashes", "-r", lock)
    except subprocess.CalledProcessError:
        if installer[0] == PYTHON:
            raise
        _say("uv could not install it; trying pip")
        installer = [*PIP]
        _run(*installer, "--require-hashes", "-r", lock)
    return installer


def _find_browser() -> None:
    """Install what the browser tests need, as root or in CI; otherwise say that they are skipped without it."""
    fonts = Path("/usr/share/fonts")
    has_font = any(fonts.rglob("*CJK*")) or any(fonts.rglob("wqy*"))
    missing = [
        package
        for package, found in zip(BROWSER, (shutil.which("chromium"), has_font, find_library("atomic")), strict=True)
        if not found
    ]
    if not missing:
        return
    if os.geteuid() == 0 or os.environ.get("CI"):
        _apt_install(*missing)
    else:
        _say(f"browser tests are skipped; for them, please run: sudo apt-get install -y {' '.join(missing)}")


def _find_compiler() -> None:
    """Install what of a C compiler, Python's headers and mypyc is missing."""
    missing = []
    if shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append(f"python{VERSION}-dev")
    if missing:
        _apt_install(*missing)
    if subprocess.run([PYTHON, "-c", "import mypyc, setuptools"], capture_output=True, check=False).returncode:
        _say("installing requirements/compile.lock into .venv, every file checked against its hash")
        _install_lock(_installer(), ROOT / "requirements" / "compile.lock")


if __name__ == "__main__":
    main(sys.argv[1:])
