"""``goldx limits``: the limits of members, as operators set and see them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

URL = click.option("--url", help="The gateway; without it, the setting gateway_url or the running `goldx serve`.")
KEY = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file of a key of the staff.",
)
MOST_ROWS = 200
"""The members that are asked for at a time."""
NONE = "none"
"""The word that takes a limit away."""


@click.group()
def limits() -> None:
    """Set and show the limits of members: of one order, of what is open, and of a trading day."""


@limits.command(name="list")
@click.option("--after", help="Only those after this member, as `more follow` gives it.")
@click.option("--limit", type=click.IntRange(min=1), help="So many; all without it.")
@KEY
@URL
def list_limits(after: str | None, limit: int | None, key_file: Path, url: str | None) -> None:
    """Print the members that have limits, one JSON object a line, with these and what is used of them."""
    shown = 0
    while True:
        rows = MOST_ROWS if limit is None else min(limit - shown, MOST_ROWS)
        asked: dict[str, str | int] = {"limit": rows} if after is None else {"limit": rows, "after": after}
        page = _read(f"/v1/limits?{urlencode(asked)}", key_file, url)
        for found in page["members"]:
            click.echo(json.dumps(found, ensure_ascii=False))
        shown += len(page["members"])
        after = page["next"]
        if after is None:
            return
        if shown == limit:
            click.echo(f"more follow: --after {after}", err=True)
            return


@limits.command()
@click.argument("member")
@KEY
@URL
def show(member: str, key_file: Path, url: str | None) -> None:
    """Print the limits of MEMBER and of its accounts, what is used of them, and the newest changes, as JSON."""
    click.echo(json.dumps(_read(f"/v1/limits/{member}", key_file, url), ensure_ascii=False, indent=1))


def _limit(option: str, name: str, text: str) -> Callable[[Any], Any]:
    return click.option(option, name, metavar="LIMIT", help=f"{text}; none takes the limit away.")


@limits.command(name="set")
@click.argument("member")
@click.option("--account", help="One of the member's accounts; without it, all of them together.")
@_limit("--order-value", "max_order_value", "The most money in one order, in CNY")
@_limit("--order-quantity", "max_order_quantity", "The most gold in one order, in fine grams")
@_limit("--open-orders", "max_open_orders", "The most open orders")
@_limit("--net-purchases", "max_net_purchases", "The most bought on balance in a trading day, in CNY")
@_limit("--net-sales", "max_net_sales", "The most sold on balance in a trading day, in fine grams")
@click.option("--reason", required=True, help="The reason, for the records and the audit log.")
@KEY
@URL
def set_limits(member: str, account: str | None, reason: str, key_file: Path, url: str | None, **given: Any) -> None:
    """Set limits of MEMBER and print the event. What is not given keeps its value.

    A limit that is raised or taken away holds only when a second person gives the same command on the same trading day.
    """
    # Loaded here, so that --help does without it.
    from goldx.hosting.operator_request import give_command
    from goldx.protocol.limit_commands import LimitsSet
    from goldx.protocol.units import BadValue

    known = _limits_of(_read(f"/v1/limits/{member}", key_file, url), account)
    for name, value in given.items():
        if value == NONE:
            known.pop(name, None)
        elif value is not None:
            known[name] = int(value) if name == "max_open_orders" and value.isdecimal() else value
    params = {"member": member, **known} | ({} if account is None else {"account": account})
    try:
        answer = give_command(LimitsSet.method, params, reason, key_file, url)
    except BadValue as error:
        raise click.BadParameter(str(error)) from error
    for event in answer["events"]:
        click.echo(json.dumps(event, ensure_ascii=False))


def _limits_of(shown: dict[str, Any], account: str | None) -> dict[str, Any]:
    """Return the limits in force of a member or of one of its accounts."""
    if account is None:
        return dict(shown["limits"])
    return next((dict(one["limits"]) for one in shown["accounts"] if one["account"] == account), {})


def _read(path: str, key_file: Path, url: str | None) -> Any:
    # Loaded here, so that --help does without it.
    from goldx.hosting.operator_request import read_gateway
    from goldx.protocol.units import BadValue

    try:
        return read_gateway(path, url, key_file)
    except BadValue as error:
        raise click.BadParameter(str(error)) from error
