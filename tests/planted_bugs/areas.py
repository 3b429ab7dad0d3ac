"""The areas in which bugs are planted, each with the tests that run on the copy.

The tests are the quick ones of an area: those that start servers take two seconds more than those that need none.
"""

from tests.planted_bugs import (
    breaks,
    closing,
    compiled_build,
    core,
    core_regime,
    leading,
    load_out,
    money,
    papers,
    posting,
    proofs,
    protocol,
    reconciliation,
    sequencer,
    server_clock,
    timetable,
    view,
    voids,
)
from tests.planted_bugs.bug import Area

AREAS = (
    Area(
        "core",
        "matching/core",
        (
            "tests/matching/core/test_convention_cases.py",
            "tests/matching/core/test_stories.py",
            "tests/matching/core/test_decisions.py",
            "tests/matching/core/test_planned.py",
            "tests/matching/core/test_busts.py",
            "tests/matching/core/test_book.py",
            "tests/matching/core/test_plain.py",
            "tests/matching/core/test_against_model.py",
            "tests/matching/core/test_replay_equality.py",
            "tests/matching/core/test_state.py",
            "tests/matching/core/test_ids.py",
            "tests/matching/core/test_fees.py",
            "tests/matching/core/test_money.py",
            "tests/matching/core/test_scale.py",
        ),
        # Without tests that start processes, and without those that would shrink each failure.
        ("--noconftest", "-k", "not goldx_replay and not generated_sequences"),
        core.BUGS,
        may_hang=False,
    ),
    Area(
        "regime",
        "matching/core",
        ("tests/matching/core/test_regime.py", "tests/matching/core/test_holders.py"),
        ("--noconftest",),
        core_regime.BUGS,
        may_hang=False,
    ),
    Area(
        "protocol",
        "goldx/protocol",
        ("tests/goldx/protocol",),
        (),
        protocol.BUGS,
        may_hang=False,
    ),
    Area(
        "timetable",
        "goldx/timetable",
        ("tests/goldx/timetable/test_following.py", "tests/goldx/timetable/test_opening.py"),
        ("--noconftest",),
        timetable.BUGS,
    ),
    Area(
        "leading",
        "matching/run",
        (
            "tests/matching/run/test_fold.py",
            "tests/matching/run/test_leader.py",
            "tests/matching/run/test_left_sessions.py",
            "tests/matching/run/test_recovery.py",
        ),
        ("-k", "not forked and not child"),  # tests that take snapshots in separate processes
        leading.BUGS,
    ),
    Area(
        "server clock",
        "goldx/streams",
        ("tests/goldx/streams/test_server_clock.py", "tests/goldx/streams/test_checked_append.py"),
        (),
        server_clock.BUGS,
    ),
    Area(
        "compiled build",
        "goldx/hosting",
        ("tests/goldx/hosting/test_compiled.py",),
        (),
        compiled_build.BUGS,
        may_hang=False,
    ),
    Area(
        "posting",
        "settlement",
        (
            "tests/settlement/ledger/test_posting.py",
            "tests/settlement/ledger/test_busts.py",
            "tests/settlement/ledger/test_ledger.py",
            "tests/settlement/ledger/test_rows.py",
            "tests/settlement/ledger/test_event_frames.py",
            "tests/settlement/service/test_ahead.py",
        ),
        ("-k", "not any_trading"),  # generated: it would shrink each failure
        posting.BUGS,
    ),
    Area(
        "money",
        "settlement",
        (
            "tests/settlement/ledger/test_sums.py",
            "tests/settlement/ledger/test_corrections.py",
            "tests/settlement/base/test_spelling.py",
        ),
        (),
        money.BUGS,
    ),
    Area(
        "banking",
        "settlement/banking",
        (
            "tests/settlement/banking/test_contradictions.py",
            "tests/settlement/banking/test_day_proof.py",
            "tests/settlement/banking/test_equal_entries.py",
            "tests/settlement/banking/test_matching.py",
            "tests/settlement/banking/test_voids.py",
            "tests/settlement/banking/test_withdrawals.py",
        ),
        (),
        (*money.BANKING_BUGS, *voids.BUGS),
    ),
    Area(
        "reconciliation",
        "settlement",
        ("tests/settlement/reconciliation",),
        (),
        (*reconciliation.BUGS, *breaks.BUGS),
    ),
    Area(
        "papers",
        "settlement",
        (
            "tests/settlement/closing/test_statements.py",
            "tests/settlement/closing/test_bulletin.py",
            "tests/settlement/closing/test_later_acts.py",
            "tests/settlement/closing/test_invoices.py",
        ),
        (),
        papers.BUGS,
    ),
    Area(
        "load-out",
        "settlement",
        ("tests/settlement/load_outs",),
        (),
        load_out.BUGS,
    ),
    Area(
        "closing",
        "settlement",
        tuple(
            f"tests/settlement/closing/test_{name}.py"
            for name in (
                "day",
                "close",
                "prices",
                "fees",
                "signing",
                "opening",
                "time_stamps",
                "taken_over",
                "day_report",
            )
        ),
        (),
        closing.BUGS,
    ),
    Area(
        "proofs",
        "settlement",
        ("tests/settlement/closing/test_proofs.py", "tests/settlement/closing/test_progress.py"),
        (),
        proofs.BUGS,
    ),
    Area(
        "sequencer",
        "api/journal",
        (
            "tests/api/journal/test_pressure.py",
            "tests/api/journal/test_sequencer.py",
        ),
        (),
        sequencer.BUGS,
    ),
    Area("command keys", "api/edge", ("tests/api/edge/test_command_keys.py",), (), sequencer.KEY_BUGS),
    Area(
        "view",
        "api/view",
        # Without test_orders.py, which starts an engine.
        (
            "tests/api/view/test_busts.py",
            "tests/api/view/test_large_books.py",
            "tests/api/view/test_market_data.py",
            "tests/api/view/test_snapshot.py",
            "tests/api/view/test_tables.py",
            "tests/api/view/test_view.py",
        ),
        (),
        view.BUGS,
    ),
)
