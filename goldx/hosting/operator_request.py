"""Requests of ``goldx`` commands to a gateway over REST: a command of an operator, and what everybody may read."""

from pathlib import Path
from typing import Any

import click
import httpx

from goldx.client.keys import Key
from goldx.hosting.running import resolve_gateway_url
from goldx.hosting.settings import Settings


def give_command(method: str, params: dict[str, Any], reason: str, key_file: Path, url: str | None) -> dict[str, Any]:
    """Send a command, signed with the key in a file, and return the gateway's answer: its events, or a preview.

    Without ``url`` the gateway is that of the settings or of the running exchange. Raises BadValue for a file that
    holds no key, NotRunning, and ClickException with the gateway's refusal.
    """
    body = {"method": method, "params": params | {"reason": reason}}
    headers = {"Authorization": f"Bearer {Key.load(key_file).bearer_token()}"}
    base = url or resolve_gateway_url(Settings())
    try:
        answer = httpx.post(f"{base}/v1/operator/commands", json=body, headers=headers, timeout=30.0, trust_env=False)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{base}: {error}") from error
    if answer.is_error:
        raise click.ClickException(_refusal(answer))
    found: dict[str, Any] = answer.json()
    return found


def read_gateway(path: str, url: str | None) -> Any:
    """Return what a gateway answers to a GET that takes no key. Raises NotRunning, and ClickException."""
    base = url or resolve_gateway_url(Settings())
    try:
        answer = httpx.get(f"{base}{path}", timeout=30.0, trust_env=False)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{base}: {error}") from error
    if answer.is_error:
        raise click.ClickException(_refusal(answer))
    return answer.json()


def _refusal(answer: httpx.Response) -> str:
    """Return the text of a gateway's refusal, or the whole answer if it is none."""
    try:
        problem = answer.json()
        reason, detail = problem.get("reason"), problem["detail"]
    except (ValueError, LookupError, AttributeError):
        return f"{answer.status_code}: {answer.text}"
    return f"{reason}: {detail}" if reason else str(detail)
