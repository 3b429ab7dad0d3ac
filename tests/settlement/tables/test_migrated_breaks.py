"""The migration that gives breaks what differs in a column."""

from sqlalchemy import select, text

from settlement.base import audit, changes, database
from settlement.migrations.forward import upgrade
from settlement.reconciliation.breaks import difference_of
from settlement.tables.reconciliation import recon_break
from tests.settlement.tables.test_migrations import RUN


async def test_breaks_get_what_differs_out_of_their_notes(database_url: str) -> None:
    """So no break that is dealt with is open again unless another difference is found; one by hand is found still."""
    engine = database.connect(database_url)
    trade = (
        "5000 mg of AU at 92000 for 460000 fen with fees of 10 and 20 fen, from A.H to B.H; entry 7 has -460010 fen "
        "and 5000 mg of the buyer, 459980 fen and -4000 mg of the seller"
    )
    made = (5000, "AU", 92000, 460000, 10, 20, "A.H", "B.H", 7, -460010, 5000, 459980, -4000)
    history = "{} by its history, {} in the table".format
    differs = "it differs from the record of its changes"
    by_hand = f"changed (owner) by goldx in SQL, without an act (change 5); {differs}"
    expected: dict[tuple[str, str, str], str | None] = {
        ("HISTORY", "lot:1 serial", history("A0", "swap")): difference_of("A0", "swap"),
        ("HISTORY", "lot:1 year", history("2024", "None")): difference_of(2024, None),
        ("HISTORY", "lot:1 FREEZE", history("locked", "not locked")): difference_of(1, 0),
        ("HISTORY", "lot_reservation:2 lot:1", history("free", "kept")): difference_of(0, 1),
        ("HISTORY", "receipt:4 origin", history("void", "live")): difference_of(0, 1),
        ("HISTORY", "fee:1 amounts", history("nothing sent", "A.H CNY 5, B.H CNY -5")): difference_of(
            None, ("A.H CNY 5", "B.H CNY -5")
        ),
        ("HISTORY", "fee:1 posted", history("A.H CNY 5", "no document")): difference_of(("A.H CNY 5",), None),
        ("HISTORY", "day:2026-11-27 fees", history("3 fees of 50", "2 fees of 5")): difference_of((3, 50), (2, 5)),
        ("HISTORY", "key A.key permissions", history("['a', 'b']", "[]")): difference_of(["a", "b"], []),
        ("HISTORY", "cash:1 state", history("DONE", "deleted")): difference_of("DONE", None),
        ("HISTORY", "cash:2 state", history("DRAFT or PROPOSED", "DONE")): difference_of("DRAFT/PROPOSED", "DONE"),
        ("HISTORY", "lot:1 row", by_hand): difference_of(5, None, None),
        ("HISTORY", "lot:2 row", f"{differs} (before change 8, now it is gone)"): difference_of(None, 8, ""),
        ("HISTORY", "lot:3 row", f"{differs} (its digest is now 0a1b2c3d)"): difference_of(None, None, "0a1b2c3d"),
        ("TRADES", "entry:3", "an entry of a trade bust that is in no register"): difference_of("trade_bust"),
        ("TRADES", "trade:7", trade): difference_of(*made),
        ("PARTY_DIFF", "payment:1", "2026-11-30 r name: paid for B.H, cash:1 is money of A.H"): difference_of(
            "B.H", 1, "A.H"
        ),
        ("PARTY_DIFF", "payment:2", '2026-11-30: paid to 62 "1", cash:2 of A.H was ordered to 63'): difference_of(
            '62 "1"', 2, "A.H", "63"
        ),
        ("SEAL_DIFF", "XM1 HX 金 2024", "lot 1: 封-1 in the register, None there"): difference_of("封-1", None),
        ("SEAL_DIFF", "XM1 HX 2 2024", "of a form that nothing has written"): None,
    }
    row = (
        "INSERT INTO recon_break (kind, subject, asset, expected, found, owner, status, opened_at, first_run, "
        "last_run, unit, note) VALUES (:kind, :subject, '', 1, 0, 'x', 'EXPLAINED', 1, 1, 1, 'match', :note)"
    )
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0064")
        await connection.execute(RUN)
        for kind, subject, note in expected:
            await connection.execute(text(row), {"kind": kind, "subject": subject, "note": note})
        await audit.record(connection, audit.Act("clerk-1", "reconcile", "recon_run:1"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE recon_break SET owner = 'y' WHERE break_id = 2"))
    await database.migrate(database_url)
    async with engine.connect() as connection:
        rows = await connection.execute(select(recon_break).order_by(recon_break.c.break_id))
        assert {(each.kind, each.subject, each.note): each.difference for each in rows} == expected
        assert [one.key for one in await changes.differences(connection, recon_break)] == ["2"], "by hand"
    await engine.dispose()
