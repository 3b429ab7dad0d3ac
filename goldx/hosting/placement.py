"""Which processors the processes on every order's way get on a small machine.

Whoever wakes another process draws it to its own processor. On a machine with two of them the journal's server so ends
up on the gateway's and waits there until the gateway has done its turn, several milliseconds for every order, while the
other processor has time. So the gateway is kept on the first one, and the server and the engines, who mostly
take turns, on the rest. Where there are more processors the kernel finds room by itself.
"""

import os
from typing import Final

GATEWAY: Final = "gateway"
BEHIND: Final = ("valkey", "engine", "standby")
ENOUGH: Final = 4
"""From so many processors on nobody is kept anywhere."""


def processors_of(name: str) -> frozenset[int]:
    """The processors for a process of the exchange: for most of them all that there are."""
    found = sorted(os.sched_getaffinity(0))
    if 1 < len(found) < ENOUGH:
        if name == GATEWAY:
            return frozenset(found[:1])
        if name in BEHIND:
            return frozenset(found[1:])
    return frozenset(found)


def keeping(name: str) -> tuple[str, ...]:
    """What goes in front of the command that starts it, if anything."""
    processors = processors_of(name)
    if processors == os.sched_getaffinity(0):
        return ()
    return ("taskset", "--cpu-list", ",".join(map(str, sorted(processors))))
