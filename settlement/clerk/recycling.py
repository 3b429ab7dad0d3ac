"""``goldx clerk counter``: old gold bought from people, and the reports that the law requires about it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, print_record
from goldx.protocol.units import format_decimal, format_money, format_price, format_weight, parse_money, parse_price
from settlement.base.arithmetic import format_cg, format_fineness, parse_padded_decimal, parse_scale_weight
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, clerk, joined, read, show
from settlement.clerk.options import NUMBER, REASON, write_new
from settlement.documents.recycling import AML_REPORT
from settlement.recycling import aml, counters, offers, sellers, tickets, two_way
from settlement.service.listings import PAGE
from settlement.tables.recycling import ID_TYPES, PAYMENT_METHODS, SCREENINGS

TICKET = click.argument("ticket", type=int)
DESCRIPTION = click.option("--description", required=True, help="What happened.")


@clerk.group("counter")
def counter_group() -> None:
    """Buy old gold over a member's counter (旧金回收)."""


@counter_group.command("add")
@click.argument("code")
@click.option("--member", required=True)
@click.option("--account", required=True, help="The account that gets the gold.")
@click.option("--warehouse", required=True, help="Where it is delivered to.")
@click.option("--name", required=True)
@click.pass_obj
def add_counter(by: str, code: str, member: str, account: str, warehouse: str, name: str) -> None:
    """Register the counter CODE of a member."""
    act(by, lambda connection: counters.add(connection, by, code, member, account, warehouse, name))
    click.echo(f"counter {code} is registered")


@counter_group.command("price")
@click.option("--poster", default=two_way.VENUE, show_default=True, help="The venue, or a member's code.")
@click.option("--form", required=True)
@click.option("--bid", required=True, metavar="CNY", help="CNY per fine gram that is paid, such as 590.00")
@click.option("--ask", required=True, metavar="CNY", help="CNY per fine gram that is taken.")
@click.option(
    "--adjustment",
    default="0",
    show_default=True,
    metavar="CNY",
    help="CNY per fine gram for the form; may be negative.",
)
@click.option("--payable", default="100", show_default=True, help="Per cent of the fine gold that is paid for.")
@click.pass_obj
def post_price(by: str, poster: str, form: str, bid: str, ask: str, adjustment: str, payable: str) -> None:
    """Post a two-way price for a form."""

    async def work(connection: AsyncConnection) -> int:
        change = parse_money(adjustment, "adjustment")
        ratio = parse_padded_decimal("payable", payable, 3, 1, 100_000, "per cent")
        prices = (parse_price(bid, "bid"), parse_price(ask, "ask"), change, ratio)
        return await two_way.post(connection, by, two_way.PostedPrice(poster, form, *prices))

    click.echo(f"price {act(by, work)} is posted")


def _price(row: Row[Any]) -> Iterable[object]:
    figures = (format_price(row.bid), format_price(row.ask), format_money(row.adjustment))
    return row.price_no, row.poster, row.form, *figures, format_decimal(row.payable_e5, 3)


@counter_group.command("prices")
@PAGE
@click.pass_obj
def list_prices(by: str, page: PageRequest) -> None:
    """Show the newest posted prices: CNY per fine gram, and what part of the gold is paid for."""
    show(by, page, "price poster form bid_cny ask_cny adjustment_cny payable_percent", two_way.listing, _price)


@counter_group.command("open")
@click.argument("code")
@click.option("--id-type", required=True, type=click.Choice(ID_TYPES))
@click.option("--id-number", prompt=True, hide_input=True, help="Kept as a salted hash, shown masked.")
@click.option("--name", prompt=True, hide_input=True, help="Shown masked.")
@click.option("--id-copy", required=True, help="The member's reference of the copy of the document.")
@click.option("--screening", required=True, type=click.Choice(SCREENINGS), help="Against the lists below.")
@click.option("--screening-list", required=True, help="Which lists, of which day.")
@click.pass_obj
def open_ticket(
    by: str, code: str, id_type: str, id_number: str, name: str, id_copy: str, screening: str, screening_list: str
) -> None:
    """Open a ticket at the counter CODE for a seller who was identified and screened."""

    async def work(connection: AsyncConnection) -> Row[Any]:
        identity = sellers.checked(id_type, id_number, name)
        papers = (id_copy, screening, screening_list)
        number = await tickets.open_ticket(connection, by, code, identity, *papers)
        return await tickets.find(connection, number)

    row = act(by, work)
    click.echo(f"ticket {row.ticket_no}: seller {row.seller_id}, {row.status}")


@counter_group.command("turn-away")
@click.argument("code")
@DESCRIPTION
@click.pass_obj
def turn_away(by: str, code: str, description: str) -> None:
    """Record that somebody showed no document at CODE: nothing is bought, and it is reported."""
    number = act(by, lambda connection: tickets.turn_away(connection, by, code, description))
    click.echo(f"ticket {number}: refused and reported")


@counter_group.command("item")
@TICKET
@click.option("--description", required=True)
@click.option("--marks", default="", help="Marks on it, such as 足金 or 750.")
@click.option("--form", default="SCRAP_JEWEL", show_default=True)
@click.option("--gross", "weight", required=True, metavar="GRAMS", help="Grams on the counter's balance, such as 12.34")
@click.option("--origin", required=True, help="Where the seller says it is from.")
@click.pass_obj
def add_item(by: str, ticket: int, description: str, marks: str, form: str, weight: str, origin: str) -> None:
    """Put an item on TICKET."""

    async def work(connection: AsyncConnection) -> int:
        gross_cg = parse_scale_weight("weight", weight)
        return await tickets.add_item(
            connection, by, ticket, tickets.TicketItem(description, marks, form, gross_cg, origin)
        )

    click.echo(f"ticket {ticket}, line {act(by, work)}")


@counter_group.command("screen")
@TICKET
@click.argument("results", nargs=-1, required=True)
@click.pass_obj
def screen(by: str, ticket: int, results: tuple[str, ...]) -> None:
    """Enter the X-ray RESULTS of all items of TICKET, whole per mille in the order of their lines."""

    async def work(connection: AsyncConnection) -> None:
        found = {
            line: 100 * parse_padded_decimal("xrf_permille", text, 0, 1, 1_000, "whole per mille")
            for line, text in enumerate(results, 1)
        }
        await tickets.screen(connection, by, ticket, found)

    act(by, work)
    click.echo(f"ticket {ticket} is screened")


@counter_group.command("offer")
@TICKET
@click.pass_obj
def offer(by: str, ticket: int) -> None:
    """Compute the offer for TICKET from today's posted prices."""
    offered = act(by, lambda connection: offers.make(connection, by, ticket))
    click.echo(f"ticket {ticket}: {format_money(offered)} CNY")


@counter_group.command("accept")
@TICKET
@click.pass_obj
def accept(by: str, ticket: int) -> None:
    """Record that the seller agrees to the offer of TICKET."""
    act(by, lambda connection: offers.accept(connection, by, ticket))
    click.echo(f"ticket {ticket} is accepted")


@counter_group.command("decline")
@TICKET
@REASON
@click.pass_obj
def decline(by: str, ticket: int, reason: str) -> None:
    """Record that the seller of TICKET does not sell."""
    act(by, lambda connection: tickets.decline(connection, by, ticket, reason))
    click.echo(f"ticket {ticket} is declined")


@counter_group.command("refuse")
@TICKET
@click.option("--reason", required=True, type=click.Choice(aml.SUSPICIONS))
@DESCRIPTION
@click.pass_obj
def refuse(by: str, ticket: int, reason: str, description: str) -> None:
    """Do not buy on TICKET, and report why."""
    number = act(by, lambda connection: tickets.refuse(connection, by, ticket, reason, description))
    click.echo(f"ticket {ticket} is refused; report {number} is due today")


@counter_group.command("due-diligence")
@click.argument("seller", type=int)
@click.option("--document", required=True, help="Where its papers are.")
@click.option("--findings", required=True, help="What was found out about the person and the gold.")
@click.pass_obj
def due_diligence(by: str, seller: int, document: str, findings: str) -> None:
    """Record due diligence on SELLER."""
    number = act(by, lambda connection: sellers.record_due_diligence(connection, by, seller, document, findings))
    click.echo(f"due diligence {number} on seller {seller} is recorded")


@counter_group.command("correct-name")
@click.argument("seller", type=int)
@click.option("--name", prompt=True, hide_input=True, help="The right name; the command asks for it if not given.")
@click.option("--document", required=True, help="The paper that proves it.")
@click.pass_obj
def correct_name(by: str, seller: int, name: str, document: str) -> None:
    """Correct the name recorded for SELLER's number; the person who recorded it may not do this."""
    act(by, lambda connection: sellers.correct_name(connection, by, seller, name, document))
    click.echo(f"seller {seller} has another name")


@counter_group.command("pay")
@TICKET
@click.option("--method", required=True, type=click.Choice(PAYMENT_METHODS))
@click.option("--reference", required=True, help="Number of the cash voucher or the transfer.")
@click.pass_obj
def pay(by: str, ticket: int, method: str, reference: str) -> None:
    """Pay out TICKET; another person than the one who made the offer."""
    paid = act(by, lambda connection: offers.pay(connection, by, ticket, method, reference))
    click.echo(f"ticket {ticket}: {format_money(paid.fen)} CNY paid")
    for number in paid.reports:
        click.echo(f"report {number} follows: goldx clerk counter reports")


@counter_group.command("deliver")
@click.argument("tickets", type=int, nargs=-1, required=True)
@click.option("--symbol", "symbols", multiple=True, required=True, metavar="FORM=SYMBOL", help="The class of a form.")
@click.pass_obj
def deliver(by: str, tickets: tuple[int, ...], symbols: tuple[str, ...]) -> None:
    """Make lots of the items of paid TICKETS."""
    classes = dict(text.partition("=")[::2] for text in symbols)
    delivered = act(by, lambda connection: offers.deliver(connection, by, tickets, classes))
    for ticket, lots in delivered.items():
        click.echo(f"ticket {ticket}: lots {joined(lots)}")


def _item(row: Row[Any]) -> dict[str, object]:
    return {
        "line": row.line,
        "description": row.description,
        "marks": row.marks,
        "form": row.form,
        "gross_g": format_cg(row.gross_cg),
        "xrf_permille": None if row.xrf_e5 is None else format_fineness(row.xrf_e5),
        "payable_g": None if row.payable_mg is None else format_weight(row.payable_mg),
        "value_cny": None if row.value_fen is None else format_money(row.value_fen),
    }


def _who(seller: Row[Any] | None) -> dict[str, object]:
    names = ("seller_name", "id_type", "id_number")
    if seller is None:
        return dict.fromkeys(names)
    return dict(zip(names, (seller.masked_name, seller.id_type, seller.masked_number), strict=True))


@counter_group.command("show")
@JSON
@TICKET
@click.pass_obj
def show_ticket(by: str, ticket: int) -> None:
    """Show TICKET with its seller, masked, and its items."""

    async def work(connection: AsyncConnection) -> dict[str, object]:
        row = await tickets.find(connection, ticket)
        return {
            "ticket": ticket,
            "counter": row.counter,
            "status": row.status,
            "reason": row.reason,
            "seller": row.seller_id,
            **_who(None if row.seller_id is None else await sellers.find(connection, row.seller_id)),
            "id_copy": row.id_copy,
            "screening": row.screening,
            "screening_list": row.screening_list,
            "offered_cny": None if row.offered_fen is None else format_money(row.offered_fen),
            "offered_by": row.offered_by,
            "method": row.method,
            "payment_reference": row.payment_reference,
            "paid_by": row.paid_by,
            "paid_day": row.paid_day,
            "items": [_item(found) for found in await tickets.items_of(connection, ticket)],
        }

    print_record(read(by, work))


def _ticket(row: Row[Any]) -> Iterable[object]:
    offered = None if row.offered_fen is None else format_money(row.offered_fen)
    return row.ticket_no, row.counter, row.seller_id, row.status, offered


@counter_group.command("tickets")
@click.option("--counter", "code")
@click.option("--status")
@click.option("--seller", type=int)
@PAGE
@click.pass_obj
def list_tickets(by: str, code: str | None, status: str | None, seller: int | None, page: PageRequest) -> None:
    """Show tickets with their offers."""
    show(
        by,
        page,
        "ticket counter seller status offered_cny",
        lambda connection, part: tickets.listing(connection, part, code=code, status=status, seller_id=seller),
        _ticket,
    )


def _report(row: Row[Any]) -> Iterable[object]:
    money = format_money(row.amount_fen)
    return row.report_no, row.kind, row.reason, row.seller_id, money, row.tickets, row.due_on, row.status


@counter_group.command("reports")
@click.option("--status", type=click.Choice(AML_REPORT.states))
@click.option("--overdue", is_flag=True, help="Only what was due before today.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all of them to a .csv or .xlsx instead.")
@PAGE
@click.pass_context
def list_reports(
    context: click.Context, status: str | None, overdue: bool, out: Path | None, page: PageRequest
) -> None:
    """Show large-value and suspicious reports; with --overdue exit 1 if there is any."""
    by: str = context.obj
    if out is not None:
        kind = out.suffix.removeprefix(".")
        write_new(out, read(by, lambda connection: aml.export(connection, kind)))
        return
    shown = show(
        by,
        page,
        "report kind reason seller amount_cny tickets due_on status",
        lambda connection, part: aml.listing(connection, part, status=status, overdue=overdue),
        _report,
    )
    context.exit(1 if overdue and shown else 0)


@counter_group.command("report")
@NUMBER
@click.argument("step", type=click.Choice(aml.STEPS))
@click.option("--reference", required=True, help="Why; of a filed one the authority's number.")
@click.pass_obj
def decide_report(by: str, number: int, step: str, reference: str) -> None:
    """Confirm or dismiss what was noticed, or record that report NUMBER is filed."""
    act(by, lambda connection: aml.decide(connection, by, number, step, reference))
    click.echo(f"report {number}: {step}, {reference}")
