"""Bugs in the fold of the journal, in recovery, and in the lease of the leader."""

from tests.planted_bugs.bug import Bug

FOLD = "fold.py"
LEASE = "lease.py"
LEFT = "left_sessions.py"
RECOVERY = "recovery.py"

BUGS = (
    # The fold
    Bug(
        "an entry that is no frame is not counted",
        FOLD,
        "        self.entries += 1\n",
        "        self.entries += frame is not None\n",
    ),
    Bug(
        "the fold stands where it was",
        FOLD,
        "        self.position = position\n        self.entries += 1\n",
        "        self.entries += 1\n",
    ),
    Bug(
        "the commands behind the first batch are dropped",
        FOLD,
        "range(0, len(commands), size)",
        "range(0, min(size, len(commands)), size)",
    ),
    Bug(
        "a batch begins with the last command of the one before",
        FOLD,
        "commands[start:end]",
        "commands[max(0, start - 1):end]",
    ),
    Bug(
        "the first event has the number of the one before",
        FOLD,
        "EntryEvents(position, before + 1,",
        "EntryEvents(position, before,",
    ),
    Bug(
        "a command that fails is named by its place in the batch",
        FOLD,
        "number = start + len(outcomes)",
        "number = len(outcomes)",
    ),
    Bug("a broken chain is not counted", FOLD, "            self.chain_breaks += 1\n", ""),
    Bug(
        "a broken chain is not looked for",
        FOLD,
        "elif error := self.chains.check(data, frame):",
        "elif error := self.chain_error:",
    ),
    Bug(
        "of a frame that begins among the published events only the end is made",
        FOLD,
        "size = COMMANDS_PER_BATCH if before >= self.published else max(1, len(commands))",
        "size = COMMANDS_PER_BATCH",
    ),
    Bug(
        "all commands are those of this fold",
        FOLD,
        "        self.total += len(commands)\n",
        "        self.total = self.commands\n",
    ),
    Bug(
        "all commands of a frame come at the time of the one before",
        FOLD,
        "apply_all(position.ms,",
        "apply_all(self.position.ms,",
    ),
    # Recovery
    Bug("missing entries are not missed", RECOVERY, "if fold.entries != total:", "if fold.entries > total:"),
    Bug(
        "published events may be ahead of the journal",
        RECOVERY,
        "if fold.engine.sequence < self.published:",
        "if fold.engine.sequence < 0:",
    ),
    Bug(
        "the newest published events may be others",
        RECOVERY,
        "(events.last, events.body) != (self.published, self._newest)",
        "events.last != self.published",
    ),
    Bug(
        "a snapshot is not used",
        RECOVERY,
        "        self.fold = fold or Fold(Engine())\n",
        "        self.fold = Fold(Engine())\n",
    ),
    # The lease
    Bug(
        "a lease that is held is given",
        LEASE,
        "if redis.call('EXISTS', KEYS[1]) == 1 then",
        "if redis.call('EXISTS', KEYS[1]) == 2 then",
    ),
    Bug(
        "two leaders have one epoch", LEASE, "redis.call('INCR', KEYS[2])", "tonumber(redis.call('GET', KEYS[2]) or 1)"
    ),
    Bug(
        "a lease never ends",
        LEASE,
        "redis.call('SET', KEYS[1], epoch, 'PX', ARGV[1])",
        "redis.call('SET', KEYS[1], epoch)",
    ),
    Bug(
        "a deposed leader may renew its lease",
        LEASE,
        "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end",
        "if redis.call('GET', KEYS[2]) == ARGV[1] .. '0' then return 0 end",
    ),
    Bug(
        "a lease that has ended is lost though nobody else led",
        LEASE,
        "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end",
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end",
    ),
    Bug(
        "another's lease is given up",
        LEASE,
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL'",
        "if ARGV[1] then return redis.call('DEL'",
    ),
    Bug("a lease is renewed too late", LEASE, "self._lease_ms / 4_000", "self._lease_ms / 500"),
    # Sessions that gateways have left
    Bug(
        "a session that wants no cancel at its end is cancelled",
        LEFT,
        " for name, found in marked if found.registration.cancels\n",
        " for name, found in marked\n",
    ),
    Bug(
        "the grace of a lost gateway's session is passed over",
        LEFT,
        " and registration.grace_left():",
        " and registration.ended_at == 0:",
    ),
    Bug("the grace of a lost gateway's session begins anew", LEFT, "ended_at=ended_at)", "grace_ms=60_000)"),
    Bug(
        "what a former leader has begun to close stays",
        LEFT,
        "if reads >= PATIENCE or registration.is_closed_by_engine:",
        "if reads >= PATIENCE and not registration.closing:",
    ),
    Bug(
        "a session is closed though a gateway has taken it over",
        LEFT,
        "if await self._registrations.change(name, known, found.gateway, closing=True, holder=self._closer):\n",
        "await self._registrations.change(name, known, found.gateway, closing=True, holder=self._closer)\n"
        "            if True:\n",
    ),
    Bug("a closed session stays registered", LEFT, "await self._registrations.remove(", "("),
    Bug(
        "a deposed leader appends commands",
        "publisher.py",
        "if redis.call('GET', KEYS[2]) ~= ARGV[4] then",
        "if redis.call('GET', KEYS[2]) == '' then",
    ),
)
