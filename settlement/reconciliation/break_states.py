"""Breaks as they were: each change of a break is kept by a trigger, so they are known as of any change."""

from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import distinct_on

from settlement.tables.reconciliation import break_state, recon_break

_CHANGING: Final = ("status", "owner", "explanation", "unit", "expected", "found", "lot_id", "closed_at")


def as_of(change_no: int) -> Select[Any]:
    """Return the query of all breaks as they were when the change of this number was the newest, by number.

    Scope, kind, subject, asset and the time at which a break opened are those of ``recon_break``, which never change.
    """
    columns = break_state.c
    newest = select(break_state).where(columns.change_no <= change_no).ext(distinct_on(columns.break_id))
    then = newest.order_by(columns.break_id, columns.change_no.desc()).subquery("then_state")
    lasting = [recon_break.c[name] for name in ("break_id", "scope", "kind", "subject", "asset", "opened_at")]
    query = select(*lasting, *(then.c[name] for name in _CHANGING))
    return query.join(then, then.c.break_id == recon_break.c.break_id).order_by(recon_break.c.break_id)
