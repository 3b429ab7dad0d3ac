"""The events of the legal regime. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class RegimeProposed(Event, tag=32, frozen=True):
    """One person has proposed a legal regime. It is in force once another sends the same command on the same day."""

    event: ClassVar[str] = "regime.proposed"
    regime: int
    document_name: str
    document_number: str
    document_date: str
    document_sha256: str
    max_clients: int | None
    max_day_value: int | None
    max_total_value: int | None
    last_trading_day: str | None
    min_hold_trading_days: int
    buyers: tuple[str, ...]
    by: str


class RegimeChanged(Event, tag=33, frozen=True):
    """The legal regime of the venue from now on, as ``venue.set_regime`` has it; two persons have named it.

    ``proposed_by`` is None where NEGOTIATED was the first command of the exchange.
    """

    event: ClassVar[str] = "regime.changed"
    regime: int
    document_name: str
    document_number: str
    document_date: str
    document_sha256: str
    max_clients: int | None
    max_day_value: int | None
    max_total_value: int | None
    last_trading_day: str | None
    min_hold_trading_days: int
    buyers: tuple[str, ...]
    by: str
    proposed_by: str | None = None


RegimeEvent: TypeAlias = RegimeProposed | RegimeChanged
