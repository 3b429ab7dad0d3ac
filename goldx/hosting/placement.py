"""Placement on a small machine: which processors the processes on every order's path may use.

A process that wakes another one draws it to its own processor. On a machine with two processors the journal's server
so ends up on the gateway's and waits there until the gateway has finished its turn, several milliseconds for every
order, while the other processor has time. So the gateway is kept on the first processor, and the server and the
engines, which mostly take turns, on the others. With more processors the kernel finds room by itself.
"""

import os
from typing import Final

GATEWAY: Final = "gateway"
BEHIND_GATEWAY: Final = ("valkey", "engine", "standby")
ENOUGH_PROCESSORS: Final = 4
"""The least number of processors at which no process is restricted."""


def processors_of(name: str) -> frozenset[int]:
    """Return the processors that a process of the exchange may use: for most of them all there are."""
    found = sorted(os.sched_getaffinity(0))
    if 1 < len(found) < ENOUGH_PROCESSORS:
        if name == GATEWAY:
            return frozenset(found[:1])
        if name in BEHIND_GATEWAY:
            return frozenset(found[1:])
    return frozenset(found)


def placement_prefix(name: str) -> tuple[str, ...]:
    """Return what goes in front of the command that starts a process, to restrict it; empty if it is not."""
    processors = processors_of(name)
    if processors == os.sched_getaffinity(0):
        return ()
    return ("taskset", "--cpu-list", ",".join(map(str, sorted(processors))))
