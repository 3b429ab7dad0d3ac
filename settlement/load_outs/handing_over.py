"""Handing over: the collector shows code and identity paper to one of the staff, and a second one releases the lots.

Wrong codes are counted. After as many as the tariff allows the sheet is blocked until two people have given it a new
code. ``sign`` returns the refusal instead of raising it, so that its caller can commit the count first.
"""

import hmac
from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit, proposals, working_days
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import advance, allow
from settlement.charges import accruals, tariff
from settlement.documents.load_outs import LOAD_OUT
from settlement.load_outs import collectors, load_outs
from settlement.lots import lots
from settlement.reconciliation import vault_freeze
from settlement.tables.load_outs import load_out


async def sign(
    connection: AsyncConnection, by: str, load_out_no: int, pickup_code: str, collector_id: str
) -> Refused | None:
    """Give the first signature, against code and identity paper.

    Returns the refusal of a wrong code or paper (WRONG_CODE, WRONG_COLLECTOR); both are counted, so the caller commits
    before it reports the refusal. Raises BadValue for an unknown sheet; Refused: ILLEGAL_STEP for a sheet that is not
    in SUCCESS, TOO_EARLY before its window opens, CODE_BLOCKED, VAULT_FROZEN, and LOCKED for lots that are frozen or
    held.
    """
    row = await load_outs.find(connection, load_out_no)
    allow(LOAD_OUT, "sign", load_out_no, row.status)
    today = working_days.today()
    if today < row.from_day:
        raise Refused("TOO_EARLY", f"load-out {load_out_no} may be collected from {row.from_day.isoformat()} on")
    await vault_freeze.check(connection, row.warehouse)
    await load_outs.check_not_held(connection, [load_out_no])
    tries = (await tariff.on(connection, today))["CODE_TRIES"]
    if row.wrong_codes >= tries:
        text = f"load-out {load_out_no} is blocked after {row.wrong_codes} wrong codes; two people may give a new one"
        raise Refused("CODE_BLOCKED", text)
    right_code = hmac.compare_digest(collectors.hash_secret(pickup_code, row.code_salt), row.code_hash)
    shown_id = collectors.hash_secret(collectors.normal_id(collector_id), row.code_salt)
    right_paper = hmac.compare_digest(shown_id, row.id_hash)
    if right_code and right_paper:
        values = {"signed_by": by, "wrong_codes": 0}
        await advance(connection, load_out, LOAD_OUT, by, "sign", [load_out_no], values)
        return None
    wrong = row.wrong_codes + 1
    await _set(connection, [load_out_no], wrong_codes=wrong)
    what = "WRONG_COLLECTOR" if right_code else "WRONG_CODE"
    act = audit.Act(by, "load_out.wrong_code", f"load_out:{load_out_no}", {"reason": what, "count": wrong})
    await audit.record(connection, act)
    wrong_one = "identity paper of its collector" if right_code else "pick-up code"
    return Refused(
        what, f"that is not the {wrong_one} of load-out {load_out_no}; {max(tries - wrong, 0)} tries are left"
    )


async def withdraw_signature(connection: AsyncConnection, by: str, load_out_no: int) -> None:
    """Take the first signature back: the collector left without the metal."""
    await advance(connection, load_out, LOAD_OUT, by, "withdraw_signature", [load_out_no], {"signed_by": None})


async def release(connection: AsyncConnection, by: str, load_out_no: int) -> list[int]:
    """Give the second signature, hand the lots over, charge the load-out, and return the lots' numbers.

    Raises Refused: SAME_PERSON for the first signer, LOCKED for lots that are held, VAULT_FROZEN.
    """
    values = {"released_by": by, "released_at": now_ms()}
    row = (await advance(connection, load_out, LOAD_OUT, by, "release", [load_out_no], values))[load_out_no]
    await vault_freeze.check(connection, row.warehouse)
    ids = await load_outs.check_not_held(connection, [load_out_no])
    detail = {"load_out": load_out_no, "collector": row.collector, "id": row.collector_id, "signed_by": row.signed_by}
    await lots.take(connection, by, "release", ids, details=dict.fromkeys(ids, detail))
    weights = [one.melt_cg or one.gross_cg for one in (await lots.find(connection, ids)).values()]
    await accruals.charge_load_out(connection, row, sum(weights))
    return ids


async def propose_code(
    connection: AsyncConnection, by: str, load_out_no: int, pickup_code: str, code_again: str
) -> int:
    """Propose a new pick-up code, which also ends a block, and return the proposal's number.

    Raises Refused (CODE_WAITS) while another new code waits, which the person who replaced it could approve as well.
    """
    collectors.check_code(pickup_code, code_again)
    row = await load_outs.find(connection, load_out_no)
    allow(LOAD_OUT, "sign", load_out_no, row.status)
    if row.new_code_hash is not None:
        text = f"load-out {load_out_no} has a new code that waits for approval; decline that proposal first"
        raise Refused("CODE_WAITS", text)
    await _set(connection, [load_out_no], new_code_hash=collectors.hash_secret(pickup_code, row.code_salt))
    summary = {"load_out": load_out_no, "account": row.account, "wrong_codes": row.wrong_codes}
    return await proposals.propose(connection, by, "pickup_code", [load_out_no], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:  # noqa: ARG001
    """Let the new code hold.

    Raises Refused: ILLEGAL_STEP for a sheet that does not wait for its collector, NO_CODE if the new code was dropped
    meanwhile.
    """
    for number in subjects:
        row = await load_outs.find(connection, number)
        allow(LOAD_OUT, "sign", number, row.status)
        if row.new_code_hash is None:
            raise Refused("NO_CODE", f"load-out {number} has no new code that waits")
    values = {"code_hash": load_out.c.new_code_hash, "new_code_hash": None, "wrong_codes": 0}
    await connection.execute(update(load_out).where(among(load_out.c.load_out_no, subjects)).values(values))


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:  # noqa: ARG001
    """Drop the new code."""
    await _set(connection, subjects, new_code_hash=None)


async def _set(connection: AsyncConnection, subjects: Sequence[int], **values: object) -> None:
    await connection.execute(update(load_out).where(among(load_out.c.load_out_no, subjects)).values(values))
