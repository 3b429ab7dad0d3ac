"""What a member's programs write down, to be compared with what the exchange says in the end."""

import msgspec


class Record(msgspec.Struct):
    """What one member's programs write down: what the exchange has acknowledged, refused and reported to them.

    ``fills`` are the trades the account's private channel reported, ``latencies`` microseconds from sending an order to
    its answer; ``refused`` counts refusals by reason.
    """

    account: str
    acked: list[int] = msgspec.field(default_factory=list)
    fills: list[int] = msgspec.field(default_factory=list)
    latencies: list[int] = msgspec.field(default_factory=list)
    refused: dict[str, int] = msgspec.field(default_factory=dict)
    changes: int = 0
