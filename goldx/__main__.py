"""``python3 -m goldx ...`` from a checkout, on a machine that has nothing but Python: the standard library alone.

The first run makes ``.venv`` beside the checkout, installs the hash-pinned lock and the checkout itself into it, and
hands over to the ``goldx`` command there; a later run finds all that done and only hands over.
``python3 -m goldx test`` installs what the tests need as well and runs them, ``python3 -m goldx build-core`` what
compiling needs. What is said on the way goes to standard error.
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

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARKER = VENV / "goldx-installed.json"
LOCK = ROOT / ".venv.lock"
"""Held while .venv is being made; not empty if that was interrupted."""
PIP: list[object] = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--require-virtualenv"]
BROWSER = ("chromium", "fonts-noto-cjk", "libatomic1")
"""Chromium, a font with Chinese, and what the driver of Playwright is linked with."""


def main(arguments: list[str]) -> None:
    """Sets up what is missing and never returns: the process becomes the command, or exits."""
    if sys.version_info[:2] != (3, 11):
        other = shutil.which("python3.11")
        if other is None:
            _end(f"GoldX runs on Python 3.11; this is {sys.version.split()[0]}, and there is no python3.11 here")
        os.execv(other, [other, "-m", "goldx", *arguments])
    if not (ROOT / "requirements" / "runtime.lock").is_file():
        # An installed wheel: everything is there already.
        from goldx.cli import main as command

        command(arguments, prog_name="goldx")
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
        os.execv(PYTHON, [str(PYTHON), "-m", "pytest", *arguments[1:]])
    command_file = VENV / "bin" / "goldx"
    os.execv(command_file, [str(command_file), *arguments])


def _say(line: str) -> None:
    print(f"goldx: {line}", file=sys.stderr, flush=True)


def _end(line: str) -> None:
    _say(line)
    sys.exit(1)


def _run(*command: object) -> None:
    # Standard output belongs to the command that follows: `demo --json` is read by programs.
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _state() -> str:
    """Changes whenever what should be installed changes."""
    digest = hashlib.sha256(str(ROOT).encode())
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
        if VENV.exists() and (os.fstat(lock.fileno()).st_size or not _works()):
            _say("an earlier set-up was interrupted; starting again")
            shutil.rmtree(VENV)
        lock.write("unfinished\n")
        lock.flush()
        _install(level, state)
        lock.truncate(0)


def _install(level: str, state: str) -> None:
    began = time.monotonic()
    if not VENV.exists():
        if importlib.util.find_spec("ensurepip") is None:
            _apt_install("python3-venv")
        _say(f"making {VENV}")
        _run(sys.executable, "-m", "venv", VENV)
    MARKER.unlink(missing_ok=True)
    _say(f"installing requirements/{level}.lock into .venv, every file checked against its hash")
    installer = _install_lock(_installer(), ROOT / "requirements" / f"{level}.lock")
    _say("installing the checkout itself")
    _run(*installer, "--no-deps", "--no-build-isolation", "-e", ROOT)
    MARKER.write_text(json.dumps({"state": state, "level": level}))
    _say(f"ready after {time.monotonic() - began:.1f} s")


def _works() -> bool:
    probe = "import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))"
    return PYTHON.exists() and subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0


def _apt_install(*packages: str) -> None:
    """Installs Debian packages as root; otherwise ends with the line that does it."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _end(f"needs {' and '.join(packages)}; please run: sudo apt-get install -y {' '.join(packages)}")
    _say(f"installing {', '.join(packages)} with apt-get")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


def _installer() -> list[object]:
    """The command that installs: uv if it can be had, which is several times faster, else pip."""
    uv = VENV / "bin" / "uv"
    try:
        _run(*PIP, "--quiet", "--require-hashes", "-r", ROOT / "requirements" / "bootstrap.lock")
        subprocess.run([uv, "--version"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        _say("uv does not work here; pip does its work")
        return [*PIP]
    # Compiled once, here: every service is a process, and each would compile what it imports.
    return [uv, "pip", "install", "--python", PYTHON, "--compile-bytecode"]


def _install_lock(installer: list[object], lock: Path) -> list[object]:
    """Installs a lock; returns the installer that could. uv does not read pip's configuration, so pip may find more."""
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
    """The browser tests need Chromium and a font with Chinese; without them they are skipped, but never in CI."""
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
    """A C compiler, Python's headers, and mypyc."""
    missing = []
    if shutil.which("cc") is None:
        missing += ["gcc", "libc6-dev"]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("python3-dev")
    if missing:
        _apt_install(*missing)
    if subprocess.run([PYTHON, "-c", "import mypyc, setuptools"], capture_output=True, check=False).returncode:
        _say("installing requirements/compile.lock into .venv, every file checked against its hash")
        _install_lock(_installer(), ROOT / "requirements" / "compile.lock")


if __name__ == "__main__":
    main(sys.argv[1:])
