"""The ``goldx clerk`` group, and the three things that its commands do: act, propose, show.

Each runs in one transaction in the name of the member of staff that ``--as`` gives, after that person's permissions
were checked. A refusal ends the command with its text and changes nothing.

The database is loaded when a command uses it, the module of a command when the command is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

import click

from goldx.lazy_group import CommandPlace, LazyGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from settlement.base.paging import Page, PageRequest
    from settlement.base.proposals import Proposal

T = TypeVar("T")

ACTORS: Final = ("settle",)
"""Permissions that let somebody act."""
OPERATORS: Final = ("operate",)
"""Permissions that let somebody change what limits the clerks."""
READERS: Final = ("settle", "supervise")
"""Permissions that let somebody read."""
ANYBODY: Final = (*READERS, *OPERATORS, "warehouse")
"""All permissions of staff: anybody of them may look."""
MODULES: Final = {
    "assays": "assay certificate laboratory value",
    "banking": "bank",
    "base": "approve calendar decline document documents proposal proposals waiting",
    "breaks": "break breaks explain",
    "charges": "fees tariff",
    "closing": "account-statements bulletin invoice",
    "counts": "count",
    "custody": "cancel-receipt hold issue pledge transfer",
    "intake": "arrive cancel-advice certify correct-weight files import-bars lift melt melt-explain melts pre-advise "
    "process quarantine register reject return screen screening-explain weigh",
    "ledger": "balances cash-in cash-out correct",
    "load_outs": "claim load-out",
    "lots": "acceptance class-customs events freeze locks lot lots provenance provenance-accept sample scale unfreeze "
    "warehouse-add",
    "reconciliation": "reconcile statement warehouse-key",
    "recycling": "counter",
    "reports": "export",
    "service": "states",
    "withdrawals": "payee withdrawal",
}
"""The modules of this package, with the names of the commands that each adds to the group."""


@cache
def _places() -> Mapping[str, CommandPlace]:
    return {
        name: CommandPlace(f"{__package__}.{module}") for module, names in MODULES.items() for name in names.split()
    }


@click.group(cls=LazyGroup, places=_places)
@click.option("--as", "name", default="", envvar="GOLDX_CLERK", help="Who acts: the code of one of the staff.")
@click.pass_context
def clerk(context: click.Context, name: str) -> None:
    """Settle by hand: money, bars, receipts, withdrawals, reconciliation."""
    context.obj = name


async def may(connection: AsyncConnection, name: str, *permissions: str) -> None:
    """End the command if a member of staff holds none of the permissions. Raises BadValue for an unknown code."""
    from settlement.base import registry

    held = await registry.staff_permissions(connection, name)
    if not held & set(permissions):
        raise click.ClickException(f"{name} has none of the permissions {', '.join(permissions)}")


def check_actor(name: str) -> None:
    """End the command if ``--as`` does not say who acts."""
    if not name:
        group = " ".join(click.get_current_context().command_path.split()[:2])
        raise click.UsageError(f"--as must say who acts: {group} --as NAME ..., or set GOLDX_CLERK")


def _run(by: str, permissions: Iterable[str], work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    from settlement.service.commands import in_transaction

    check_actor(by)

    async def run(connection: AsyncConnection) -> T:
        await may(connection, by, *permissions)
        return await work(connection)

    return in_transaction(run)


def act(by: str, work: Callable[[AsyncConnection], Awaitable[T]], permissions: Iterable[str] = ACTORS) -> T:
    """Do ``work`` in the name of somebody who may settle, or holds another of ``permissions``; return its result."""
    return _run(by, permissions, work)


def tend(by: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do ``work`` in the name of an operator; return its result."""
    return _run(by, OPERATORS, work)


def propose(by: str, work: Callable[[AsyncConnection], Awaitable[int]], permissions: Iterable[str] = ACTORS) -> None:
    """Do ``work``, which makes a proposal, and print the numbers of the proposal and of its documents."""
    from settlement.base import proposals

    async def run(connection: AsyncConnection) -> proposals.Proposal:
        return await proposals.find(connection, await work(connection))

    say_proposed(_run(by, permissions, run))


def say_proposed(made: Proposal) -> None:
    """Print the number of a proposal and those of the documents that it is about."""
    from settlement.service import documents

    about = f"{made.kind} {documents.ranges(made.subjects)}"
    click.echo(f"proposal {made.proposal_id} waits for another person's approval: {about}")


def read(by: str, work: Callable[[AsyncConnection], Awaitable[T]], permissions: Iterable[str] = READERS) -> T:
    """Do ``work``, which changes nothing, in the name of somebody who may read; return its result."""
    return _run(by, permissions, work)


def show(
    by: str,
    page: PageRequest,
    columns: str,
    listing: Callable[[AsyncConnection, PageRequest], Awaitable[Page[T]]],
    cells: Callable[[T], Iterable[object]],
    permissions: Iterable[str] = READERS,
) -> int:
    """Print the rows of a listing as a table and return how many they were: ``settlement.service.listings``."""
    from settlement.service.listings import print_pages

    return read(by, lambda connection: print_pages(connection, page, columns, listing, cells), permissions)


def joined(numbers: Iterable[object]) -> str:
    """Return numbers as they are printed in a sentence: ``1, 2, 3``."""
    return ", ".join(map(str, numbers))
