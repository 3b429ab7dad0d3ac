"""The plan of a round: which faults are injected, and when. A pure function of the round's seed."""

from random import Random
from typing import NamedTuple

GATEWAYS = ("gateway-1", "gateway-2")
ENGINES = ("engine-1", "engine-2")
PROCESSES = ("leader", "standby", *GATEWAYS, "settlement", "valkey", "postgres")
"""``leader`` and ``standby`` are the engines that have that role at the moment of the fault."""
CONNECTIONS = (
    *(f"members>{gateway}" for gateway in GATEWAYS),
    *(f"{service}>valkey" for service in (*ENGINES, *GATEWAYS, "settlement")),
    *(f"{service}>postgres" for service in (*GATEWAYS, "settlement")),
)
LONG_HOLD = 6.0
"""Seconds: longer than any service waits for an answer of Redis."""


class Fault(NamedTuple):
    """A fault: kill, stop or pause a process, cut or hold a connection.

    ``at``: seconds after the load began. ``seconds``: how long a pause or a hold lasts.
    """

    at: float
    kind: str
    target: str
    seconds: float = 0.0

    def __str__(self) -> str:
        lasting = f" {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.at:.2f} {self.kind} {self.target}{lasting}"


class Plan(NamedTuple):
    """The faults of a round. ``load``: seconds for which members trade."""

    load: float
    faults: tuple[Fault, ...]


def plan(seed: int) -> Plan:
    """Return the plan of the round with this seed."""
    random = Random(f"faults {seed}")
    load = random.uniform(0.8, 1.6)
    faults = [_fault(random, load) for _ in range(random.choice((1, 2, 2, 3, 4)))]
    return Plan(load, tuple(sorted(faults)))


def _fault(random: Random, load: float) -> Fault:
    at = random.uniform(0.05, load)
    kind = random.choices(("kill", "pause", "cut", "hold", "stop"), (8, 4, 3, 3, 2))[0]
    target = random.choice(PROCESSES if kind in ("kill", "pause", "stop") else CONNECTIONS)
    if kind not in ("pause", "hold"):
        return Fault(at, kind, target)
    long = kind == "hold" and random.random() < 0.1
    return Fault(at, kind, target, LONG_HOLD if long else random.uniform(0.1, 1.4))
