"""The ``goldx`` command as a process of its own."""

import asyncio
import os
import subprocess
import sys

from goldx.hosting.compiled import SWITCH


async def run_goldx(
    settings: dict[str, str], *arguments: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end, with these settings in its environment and no others but GOLDX_CORE."""
    command = [sys.executable, "-m", "goldx.cli", *arguments]
    inherited = {name: os.environ[name] for name in os.environ if name == SWITCH or not name.startswith("GOLDX_")}
    return await asyncio.to_thread(
        subprocess.run, command, env=inherited | settings, input=stdin, capture_output=True, timeout=60, check=False
    )
