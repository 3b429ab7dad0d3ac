"""``goldx health SERVICE``: whether a service does its work, for a container's health check or a monitor.

A check is a coroutine function named in pyproject.toml under ``goldx.health``; it returns a sentence about the service,
or raises Unhealthy.
"""

import asyncio
from importlib.metadata import entry_points
from typing import Final

import click
import httpx
from redis.exceptions import RedisError

from goldx.hosting.settings import Settings

TIMEOUT: Final = 5.0


class Unhealthy(RuntimeError):
    """The service does not do its work; the message says what is wrong."""


@click.command()
@click.argument("service", type=click.Choice(sorted(entry.name for entry in entry_points(group="goldx.health"))))
def health(service: str) -> None:
    """Check whether SERVICE works: exit code 0 or 1."""
    (entry,) = entry_points(group="goldx.health", name=service)
    try:
        click.echo(asyncio.run(asyncio.wait_for(entry.load()(Settings()), TIMEOUT)))
    except TimeoutError as error:
        raise click.ClickException(f"{service}: no answer within {TIMEOUT:g} s") from error
    except (Unhealthy, RedisError, httpx.HTTPError, OSError) as error:
        raise click.ClickException(f"{service}: {str(error) or type(error).__name__}") from error


async def check_url(url: str) -> str:
    """Return a sentence if a GET is answered with 200. Raises Unhealthy with the answer's reason, httpx.HTTPError."""
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
        answer = await client.get(url)
    if answer.status_code != 200:
        raise Unhealthy(f"{url} answers {answer.status_code}{_detail(answer)}")
    return f"{url} answers"


def _detail(answer: httpx.Response) -> str:
    """Return why the answer is not 200, if it says so as problem details do (RFC 9457)."""
    try:
        return f": {answer.json()['detail']}"
    except (ValueError, LookupError, TypeError):
        return ""
