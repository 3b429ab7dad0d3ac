"""Bugs in the comparison of the server's clock with that of the machine that writes."""

from tests.planted_bugs.bug import Bug

CLOCK = "server_clock.py"

BUGS = (
    Bug("a server's clock may be behind", CLOCK, "if offset > limit or offset < -limit then", "if offset > limit then"),
    Bug("a server's clock may be ahead", CLOCK, "if offset > limit or offset < -limit then", "if offset < -limit then"),
    Bug("a journal may be ahead of the right time", CLOCK, "if ahead > limit then", "if ahead > limit * 10000 then"),
    Bug(
        "a clock that is off a little is not followed",
        CLOCK,
        "return redis.call('XADD', KEYS[1], '*', 'f', ARGV[1])",
        "return added",
    ),
    Bug("the distance has the wrong sign", CLOCK, "seconds + microseconds / 1e6 - middle)", "middle - seconds)"),
    Bug(
        "without a limit no distance is right",
        CLOCK,
        "if self.limit_ms and abs(self.offset_ms)",
        "if abs(self.offset_ms)",
    ),
    Bug("a clock that was wrong stays so", CLOCK, "        self.trouble = None\n        ahead", "        ahead"),
    Bug(
        "a journal that is ahead is not measured", CLOCK, "elif self.limit_ms and ahead > self", "elif ahead < 0 > self"
    ),
    Bug("what is behind is called ahead", CLOCK, '"ahead of" if offset_ms > 0 else', '"ahead of" if offset_ms else'),
    Bug("the clock is called the journal", CLOCK, 'if what == "journal" else', 'if what != "journal" else'),
    Bug("the limit is told in milliseconds", CLOCK, "{limit_ms / 1_000:.1f}", "{limit_ms:.1f}"),
    Bug("a wrong clock is any other error", CLOCK, "if len(words) != 3 or", "if len(words) == 3 or"),
    Bug("a wrong clock does not pass", "outages.py", '        "CLOCK",\n', ""),
    Bug(
        "the clock is not looked at",
        "journal.py",
        "if clock is not None and clock.limit_ms else",
        "if clock is None else",
    ),
    Bug(
        "the clock is looked at without a limit",
        "journal.py",
        "if clock is not None and clock.limit_ms else",
        "if clock is not None else",
    ),
)
