"""The part of ``goldx clerk bank`` that says whose money payments are: matched, in suspense, tied, assigned, owed."""

import click

from goldx.output import JSON, Both, print_table
from goldx.protocol.units import format_money
from settlement.banking import claims, deposits, near_ties, ties
from settlement.base.paging import PageRequest
from settlement.clerk.group import act, joined, propose, show
from settlement.clerk.options import NUMBER, REASON
from settlement.service.listings import PAGE


@click.command("match")
@JSON
@click.pass_obj
def match_payments(by: str) -> None:
    """Propose to book every payment whose account can be determined, and every return; show the outcome of each."""
    print_table(
        "payment amount_cny matched_by account reason proposal",
        (
            (one.item_no, format_money(one.amount_fen), one.how or "in suspense", one.account, one.why, one.proposal)
            for one in act(by, lambda connection: deposits.match(connection, by))
        ),
    )


@click.command("suspense")
@PAGE
@click.pass_obj
def list_suspense(by: str, page: PageRequest) -> None:
    """Show the payments without a matching transfer of money."""
    show(
        by,
        page,
        "payment day amount_cny reversal bank_reference reference name account text",
        deposits.suspense,
        lambda row: (
            row.item_no,
            row.day,
            format_money(row.amount_fen),
            bool(row.reversal),
            row.bank_reference,
            row.reference,
            row.name,
            row.account,
            row.text,
        ),
    )


@click.command("near-ties")
@PAGE
@click.pass_obj
def list_near_ties(by: str, page: PageRequest) -> None:
    """Show what payments in suspense may be, where the evidence does not decide; `tie` decides."""
    show(
        by,
        page,
        "payment choice why money accounts day amount_cny reference name account",
        near_ties.listing,
        lambda row: (
            row.item_no,
            row.choice,
            row.why,
            Both(", ".join(map(str, row.money)), list(row.money)),
            row.owners,
            row.day,
            format_money(row.amount_fen),
            row.reference,
            row.name,
            row.account,
        ),
    )


@click.command("tie")
@click.argument("payments", type=int, nargs=-1, required=True)
@click.option("--money", type=int, multiple=True, required=True, help="The number of recorded money (several times).")
@REASON
@click.pass_obj
def tie_payments(by: str, payments: tuple[int, ...], money: tuple[int, ...], reason: str) -> None:
    """Tie PAYMENTS in suspense to the recorded money that they are; the sums must be equal.

    Where money of more than one account may be meant, or nothing was shown, a second person approves.
    """
    done = act(by, lambda connection: ties.tie(connection, by, payments, money, reason))
    if done.proposal is None:
        click.echo(f"tie {done.tie_no}: payments {joined(payments)} are money {joined(money)}")
    else:
        click.echo(f"proposal {done.proposal} waits for another person's approval: tie {done.tie_no}")


@click.command("ties")
@PAGE
@click.pass_obj
def list_ties(by: str, page: PageRequest) -> None:
    """Show what was tied by hand, and what is proposed to be."""
    show(
        by,
        page,
        "tie status payments money amount_cny reason",
        ties.listing,
        lambda row: (
            row.tie_no,
            row.status,
            Both(", ".join(map(str, row.payments)), list(row.payments)),
            Both(", ".join(map(str, row.money)), list(row.money)),
            format_money(row.amount_fen),
            row.why,
        ),
    )


@click.command("assign")
@NUMBER
@click.option("--account", required=True, help="The trading account whose money it is.")
@REASON
@click.pass_obj
def assign_payment(by: str, number: int, account: str, reason: str) -> None:
    """Propose the payment NUMBER, which is in suspense, as the money of an account."""
    propose(by, lambda connection: deposits.assign(connection, by, number, account, reason))


@click.command("claims")
@PAGE
@click.pass_obj
def list_claims(by: str, page: PageRequest) -> None:
    """Show what accounts owe: the bank took the payment back, or no payment stands behind the money."""
    show(
        by,
        page,
        "payment money account amount_cny status reason",
        claims.listing,
        lambda row: (
            row.item_no,
            row.of_cash,
            row.account,
            format_money(-row.amount_fen),
            row.status,
            row.reason,
        ),
    )


@click.command("collect")
@NUMBER
@click.option("--of-money", is_flag=True, help="NUMBER is that of money without a payment, not of a payment.")
@click.pass_obj
def collect_claim(by: str, number: int, of_money: bool) -> None:
    """Propose once more to take out what an account owes for the payment NUMBER."""
    again = claims.collect_money if of_money else claims.collect
    propose(by, lambda connection: again(connection, by, number))
