"""The ``goldx`` command as it is installed; it imports the standard library alone.

``pip install goldx`` brings the member's client, ``pip install goldx[server]`` the exchange as well. The command
belongs to the exchange: where only the client is installed, it says so instead of ending in a traceback.
"""

import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, requires

SERVER = re.compile(r"""([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]server['"]""")
"""A requirement of the exchange in the metadata of the distribution; the group is the name of the package."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments``, or those of the process, and exit."""
    try:
        from goldx.cli import main as command

        command(arguments, prog_name="goldx")
    except ModuleNotFoundError as error:
        missing = missing_packages()
        if not missing:
            raise
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        sys.exit(
            f"goldx: there is no module {error.name}. This installation has the member's client (goldx.client), but "
            f"not all that the exchange needs ({some}). To install it: pip install 'goldx[server]'"
        )


def missing_packages() -> list[str]:
    """Return the names of the packages of ``goldx[server]`` that are not installed."""
    return [match[1] for match in map(SERVER.match, requires("goldx") or ()) if match and not _is_installed(match[1])]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
