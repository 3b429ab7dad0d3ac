"""How a test types a command of ``goldx``."""

import asyncio

from click.testing import CliRunner, Result

from goldx.cli import main


async def goldx(*words: str, code: int = 0) -> Result:
    """Run ``goldx`` in a thread of its own, as the commands have their own event loop; it must end with ``code``."""
    result = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert result.exit_code == code, result.output
    return result


async def clerk(name: str, *words: str, code: int = 0) -> str:
    """Run ``goldx clerk --as name``; return what it prints."""
    return (await goldx("clerk", "--as", name, *words, code=code)).output
