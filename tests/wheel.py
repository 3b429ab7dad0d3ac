"""The distribution as a user gets it: a wheel, and an environment that holds what ``pip install goldx`` brings."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build(folder: Path) -> Path:
    """Build the wheel of this checkout in ``folder`` and return it."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel, without extras, in a new environment in ``folder`` and return the Python of that.

    The versions of what it needs are those of requirements/runtime.lock.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    constraints = folder / "constraints.txt"
    pins = re.findall(r"^[\w.-]+==[^ \\]+", (ROOT / "requirements" / "runtime.lock").read_text(), re.MULTILINE)
    constraints.write_text("\n".join(pins))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", python)
    subprocess.run([*pip, "install", "--only-binary", ":all:", "--constraint", constraints, wheel], check=True)
    return python
