"""The claims on accounts in a snapshot. Written and read as ``matching.core.snapshot`` does everything else."""

from __future__ import annotations

from typing import Any

from matching.core.state import State


def write_claims(state: State) -> tuple[Any, ...]:
    """Return the accounts that owe something with their claims; nothing if there are none."""
    owing = [(account.name, list(account.claims.items())) for account in state.accounts.values() if account.claims]
    return (owing,) if owing else ()


def read_claims(state: State, record: Any) -> None:
    """Put what ``write_claims`` returned into a state that has its accounts."""
    (owing,) = record
    for name, claims in owing:
        account = state.accounts[name]
        for reference, amount in claims:
            account.claims[reference] = amount
            account.owed += amount
        account.find_refusal()
