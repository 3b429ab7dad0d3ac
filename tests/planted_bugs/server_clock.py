"""Bugs in the comparison of the server's clock with that of the machine that writes, and in the fence of a writer."""

from tests.planted_bugs.bug import Bug

CLOCK = "server_clock.py"
APPEND = "checked_append.py"

BUGS = (
    Bug(
        "a server's clock may be behind", APPEND, "if offset > limit or offset < -limit then", "if offset > limit then"
    ),
    Bug(
        "a server's clock may be ahead", APPEND, "if offset > limit or offset < -limit then", "if offset < -limit then"
    ),
    Bug("a journal may be ahead of the right time", APPEND, "if ahead > limit then", "if ahead > limit * 10000 then"),
    Bug(
        "a clock that is off a little is not followed",
        APPEND,
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
    Bug("the clock is not looked at", "journal.py", "if clock.limit_ms or fence else", "if fence else"),
    Bug("the fence is not looked at", "journal.py", "if clock.limit_ms or fence else", "if clock.limit_ms else"),
    Bug("a fence has a limit of the clock", APPEND, "self._clock.limit_ms or NO_LIMIT", "self._clock.limit_ms"),
    Bug("the token of another run is the writer's", APPEND, "1, #ARGV[5]) ~= ARGV[5]", "1, 1) == ''"),
    Bug("a fence is any other error", APPEND, 'startswith("FENCED")', 'startswith("CLOCK")'),
)
