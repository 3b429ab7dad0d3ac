"""Bugs in notices: in the core and in what a gateway shows of them."""

from tests.planted_bugs.bug import Bug

NOTICES = "notices.py"
SNAPSHOT = "snapshot.py"

BUGS = (
    Bug(
        "a notice replaces one that never was",
        NOTICES,
        "0 < replaces <= state.last_notice_id",
        "0 < replaces <= state.last_notice_id + 1",
    ),
    Bug("a notice replaces number zero", NOTICES, "not 0 < replaces <=", "not 0 <= replaces <="),
    Bug(
        "a replaced notice still waits",
        NOTICES,
        "        state.notices.pop(replaces, None)\n",
        "        pass\n",
    ),
    Bug(
        "every notice has to be acknowledged",
        NOTICES,
        "if _is_present(member)) if to_acknowledge else ()",
        "if _is_present(member))",
    ),
    Bug("the venue asks itself", NOTICES, "if name != VENUE or not rules", "if name != VENUE or True"),
    Bug("older notices did not ask the venue", NOTICES, "if name != VENUE or not rules", "if name != VENUE"),
    Bug("members that have left have to acknowledge", NOTICES, " if _is_present(member))", ")"),
    Bug(
        "a refused notice takes a number",
        NOTICES,
        "    if replaces is not None and not 0",
        "    state.last_notice_id += replaces is not None\n    if replaces is not None and not 0",
    ),
    Bug(
        "who has acknowledged still has to",
        NOTICES,
        "    del waiting[member]\n",
        "    waiting = dict(waiting)\n    del waiting[member]\n",
    ),
    Bug("one answer is that of all members", NOTICES, "    if not waiting:\n", "    if waiting or not waiting:\n"),
    Bug(
        "a notice that all have acknowledged is kept",
        NOTICES,
        "    if not waiting:\n        del state.notices[number]\n",
        "",
    ),
    Bug(
        "a member acknowledges what it was never asked",
        NOTICES,
        "if waiting is None or member not in waiting:",
        "if waiting is None:",
    ),
    Bug("an event names nobody who has to acknowledge", NOTICES, "by, members or None, replaces", "by, None, replaces"),
    Bug(
        "a snapshot forgets who has to acknowledge",
        SNAPSHOT,
        "state.notices = {number: dict.fromkeys(members) for number, members in waiting}",
        "state.notices = {}",
    ),
    Bug(
        "a snapshot forgets the number of the last notice",
        SNAPSHOT,
        "state.last_notice_id, waiting = notices",
        "_, waiting = notices",
    ),
)
