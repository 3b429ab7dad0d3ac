"""Bugs in the timer that cancels the orders of a session, and in its heartbeats."""

from tests.planted_bugs.bug import Bug

TIMER = "cancel_timer.py"
HEARTBEAT = "heartbeat.py"

BUGS = (
    Bug("it runs out when the loop calls, however early", TIMER, "        if left > 0:\n", "        if left > 1e9:\n"),
    Bug(
        "a new start does not move the time",
        TIMER,
        "self._due = self._clock() + ms / 1_000",
        "self._due = self._due or self._clock() + ms / 1_000",
    ),
    Bug(
        "a shorter time waits for the longer one",
        TIMER,
        "if self._handle is not None and self._asked_for <= self._due:",
        "if self._handle is not None:",
    ),
    Bug(
        "each start asks the loop again",
        TIMER,
        "if self._handle is not None and self._asked_for <= self._due:",
        "if False:",
    ),
    Bug("a request that waits is not looked for", TIMER, "elif self._is_renewed():", "elif False:"),
    Bug(
        "a start during the last look is not seen",
        TIMER,
        "        if self._due > self._clock():\n            self._look()\n        elif",
        "        if",
    ),
    Bug(
        "a stopped timer runs out",
        TIMER,
        "        self.ms, self.due_at = 0, None\n        self.halt()\n",
        "        self.ms, self.due_at = 0, None\n",
    ),
    Bug(
        "the end of the session forgets the timer",
        TIMER,
        '        """Let it not run out, and keep what it was set to: the session has ended."""\n',
        "        self.ms, self.due_at = 0, None\n",
    ),
    Bug(
        "it runs out twice",
        TIMER,
        "            self.expired()\n",
        "            self.expired()\n            self.expired()\n",
    ),
    Bug(
        "waiting messages are not searched",
        "session.py",
        "return any(name in data for data in self._waiting)",
        "return False",
    ),
    Bug(
        "a batch is not searched",
        "session.py",
        "if self._batch is not None and self._batch.has_waiting(method):",
        "if self._batch is None:",
    ),
    Bug(
        "a heartbeat is sent though something else was",
        HEARTBEAT,
        "        if left > 0:\n",
        "        if left > 1e9:\n",
    ),
    Bug(
        "only one heartbeat is sent",
        HEARTBEAT,
        "        self._ask(self.seconds)\n        self._send",
        "        self._send",
    ),
    Bug(
        "a new time leaves the old one running",
        HEARTBEAT,
        "        self.halt()\n        self.seconds",
        "        self.seconds",
    ),
    Bug("heartbeats go on after the end", HEARTBEAT, "            self._handle.cancel()\n", "            pass\n"),
)
