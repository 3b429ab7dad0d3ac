"""Bugs in the sequencer of a gateway, in its back-pressure, and in the keys of operators' requests."""

from tests.planted_bugs.bug import Bug

SEQUENCER = "sequencer.py"
PRESSURE = "pressure.py"

BUGS = (
    Bug(
        "a frame that has arrived is sent again",
        SEQUENCER,
        "            position = await self._find(after, trouble)\n",
        "            position = await self._find(after, trouble)\n"
        "            position = position and await self._journal.append_raw(data)\n",
    ),
    Bug(
        "a frame without an answer is looked for by the wrong number",
        SEQUENCER,
        "find(self._frame_writer.writer, self._frame_writer.number, after)",
        "find(self._frame_writer.writer, self._frame_writer.number - 1, after)",
    ),
    Bug(
        "a frame is looked for after the one before it alone",
        SEQUENCER,
        "            self._last = position\n            self._frame_writer.arrived()",
        "            self._last = Position(position.ms + 1_000, 0)\n            self._frame_writer.arrived()",
    ),
    Bug(
        "the commands of a lost frame are never answered",
        SEQUENCER,
        "            if position is None:\n                self._refuse(frame.answers, frame.shares, trouble)\n",
        "",
    ),
    Bug(
        "commands that wait during an outage are dropped",
        SEQUENCER,
        "        self._refuse([answer for _, answer, _ in waiting], [share for _, _, share in waiting], trouble)\n",
        "",
    ),
    Bug("a member's share is never given back", SEQUENCER, "share.add(-count)", "share.add(0)"),
    Bug("cancels have no places of their own", SEQUENCER, "else CANCEL_PLACES\n", "else 0\n"),
    Bug(
        "a member may take all places",
        "pressure.py",
        "if of_member >= free:",
        "if of_member >= MAX_WAITING:",
    ),
    Bug(
        "a session may take all places of its member",
        "pressure.py",
        "share.waiting >= free - of_member",
        "share.waiting >= free",
    ),
    Bug("a frame without events has no filler", SEQUENCER, "commands += (FILLER,)", "commands += ()"),
    Bug("a frame with events has a filler", SEQUENCER, "if not any(isinstance", "if not all(isinstance"),
    Bug(
        "commands beyond the largest frame are dropped",
        SEQUENCER,
        "self._pending[:MAX_FRAME], self._pending[MAX_FRAME:]",
        "self._pending[:MAX_FRAME], []",
    ),
    Bug(
        "a frame takes all that waits",
        SEQUENCER,
        "self._pending[:MAX_FRAME], self._pending[MAX_FRAME:]",
        "self._pending, []",
    ),
    Bug(
        "early outcomes are given in the wrong order", SEQUENCER, "zip(waiting, early,", "zip(waiting, reversed(early),"
    ),
    Bug("early outcomes of other gateways are kept", SEQUENCER, "        self._early.clear()\n", ""),
    Bug(
        "an answered frame still counts as waiting",
        SEQUENCER,
        "            self._count_answered(frame.shares)\n",
        "",
    ),
    Bug("a frame is answered twice", SEQUENCER, "self._frames.pop(position, None)", "self._frames.get(position)"),
    Bug(
        "cancels are refused on a full disk",
        SEQUENCER,
        "pressure.disk_full is not None and places:",
        "pressure.disk_full is not None:",
    ),
    Bug(
        "orders are replaced on a full disk",
        SEQUENCER,
        "        OrderPlace,\n        OrderReplace,\n",
        "        OrderPlace,\n",
    ),
    Bug(
        "commands are taken while nothing is answered",
        SEQUENCER,
        "if pressure.stalled is not None:",
        "if pressure.stalled == '':",
    ),
    Bug(
        "the newest frame's age is the oldest's",
        SEQUENCER,
        "next(iter(self._frames.values()), self._appending)",
        "next(reversed(self._frames.values()), self._appending)",
    ),
    Bug("no frame names the one before it", SEQUENCER, "            self._frame_writer.arrived()\n", ""),
    Bug("one command too many may wait", PRESSURE, "if self.waiting < MAX_WAITING:", "if self.waiting <= MAX_WAITING:"),
    Bug(
        "the exchange is slow a check early",
        PRESSURE,
        "self.checks - oldest > STALE_CHECKS",
        "self.checks - oldest >= STALE_CHECKS",
    ),
    Bug(
        "answers are counted again at every check",
        PRESSURE,
        "        self._answered = 0\n        oldest",
        "        oldest",
    ),
    Bug(
        "the retry time falls with what waits",
        PRESSURE,
        "self.waiting / self._per_second",
        "self._per_second / self.waiting",
    ),
    Bug(
        "the retry time has no upper bound",
        PRESSURE,
        "min(LONGEST_RETRY_MS, max(SHORTEST_RETRY_MS, int(",
        "max(0, max(SHORTEST_RETRY_MS, int(",
    ),
    Bug("a disk with room is full", PRESSURE, "free < self._reserve", "free > self._reserve"),
    Bug(
        "a full disk is never free again", PRESSURE, "        self.disk_full = None\n        if free", "        if free"
    ),
)

KEYS = "command_keys.py"

KEY_BUGS = (
    Bug("a key serves any command", KEYS, "if taken.request != hashed:", "if not taken.request:"),
    Bug("a command under a key is placed again", KEYS, "nx=True, ex=KEPT_SECONDS", "ex=KEPT_SECONDS"),
    Bug(
        "a command that was not placed uses its key",
        KEYS,
        "            await self._redis.delete(name)\n            raise",
        "            raise",
    ),
    Bug("the answer under a key is not kept", KEYS, "_encode(_Taken(hashed, answer))", "_encode(_Taken(hashed))"),
)
"""Bugs in the keys of operators' requests."""
