"""``goldx clerk states``: the state machines, as tables or as drawings."""

import click

from goldx.output import JSON, Table
from settlement.clerk.group import clerk
from settlement.documents.machines import MACHINES


@clerk.command("states")
@JSON
@click.argument("kind", required=False, type=click.Choice(sorted(MACHINES)))
@click.option("--dot", "form", flag_value="dot", help="For Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="For Mermaid.")
def states(kind: str | None, form: str | None) -> None:
    """Show which steps a document of KIND, or of every kind, can take, and who takes them."""
    table = Table("kind step from to role people")
    for name in [kind] if kind else MACHINES:
        machine = MACHINES[name]
        if form == "dot":
            click.echo(machine.dot())
        elif form == "mermaid":
            click.echo(machine.mermaid())
        else:
            table.print((name, *row) for row in machine.rows())
