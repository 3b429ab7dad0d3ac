"""The record that a member's programs keep, to be compared with the exchange's own records at the end."""

import msgspec


class SessionRecord(msgspec.Struct):
    """The orders, trades and refusals that one session of a member was informed of.

    ``acked`` are the ids of acknowledged orders, ``fills`` the trades that the account's private channel reported,
    ``latencies`` the microseconds from sending an order to its answer; ``refused`` counts refusals by reason, and
    ``changes`` the other commands that were accepted.
    """

    account: str
    acked: list[int] = msgspec.field(default_factory=list)
    fills: list[int] = msgspec.field(default_factory=list)
    latencies: list[int] = msgspec.field(default_factory=list)
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    changes: int = 0
