"""``goldx clerk states``: the state machines, as tables or as drawings."""

import click

from settlement.clerk.group import clerk
from settlement.documents.machines import MACHINES


@clerk.command("states")
@click.argument("kind", required=False, type=click.Choice(sorted(MACHINES)))
@click.option("--dot", "form", flag_value="dot", help="For Graphviz.")
@click.option("--mermaid", "form", flag_value="mermaid", help="For Mermaid.")
def states(kind: str | None, form: str | None) -> None:
    """Show which steps a document can take: step, from, to, role, people. Of KIND, or of all."""
    for name in [kind] if kind else MACHINES:
        machine = MACHINES[name]
        if form == "dot":
            click.echo(machine.dot())
        elif form == "mermaid":
            click.echo(machine.mermaid())
        else:
            click.echo(_table(name, machine.rows()))


def _table(kind: str, rows: list[tuple[str, str, str, str, str]]) -> str:
    lines = [("step", "from", "to", "role", "people"), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    shown = [
        "  ".join((*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[4])) for line in lines
    ]
    return "\n".join((f"{kind}:", *(f"  {line}" for line in shown), ""))
