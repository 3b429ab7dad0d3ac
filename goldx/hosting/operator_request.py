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
    found: dict[str, Any] = _ask("POST", "/v1/operator/commands", url, key_file, body)
    return found


def read_gateway(path: str, url: str | None, key_file: Path | None = None) -> Any:
    """Return what a gateway answers to a GET, with a key or without one. Raises as ``give_command`` does."""
    return _ask("GET", path, url, key_file)


def _ask(method: str, path: str, url: str | None, key_file: Path | None, body: dict[str, Any] | None = None) -> Any:
    headers = {} if key_file is None else {"Authorization": f"Bearer {Key.load(key_file).bearer_token()}"}
    base = url or resolve_gateway_url(Settings())
    try:
        answer = httpx.request(method, f"{base}{path}", json=body, headers=headers, timeout=30.0, trust_env=False)
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
