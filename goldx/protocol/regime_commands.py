"""The command of the legal regime. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar

from goldx.protocol.bases import OperatorCommand


class VenueSetRegime(OperatorCommand, tag=26, frozen=True):
    """Sets the legal regime of the venue, when a second person sends the same command (``regime.proposed`` until then).

    ``regime`` is one of ``goldx.protocol.terms.REGIMES``. The document on which it rests is named by its name, number,
    date (ISO) and the SHA-256 of its file in hexadecimal; NEGOTIATED, which takes no approval, may be without one.

    SANDBOX alone takes caps: the most clients (owners of accounts), the most value traded in one trading day and in
    all, in fen, and the last trading day (an ISO date). WIND_DOWN alone takes ``buyers``, the members that may still
    buy. ``min_hold_trading_days``: for so many trading days nobody may sell what he has bought, in any instrument.

    NEGOTIATED as the very first command of an exchange holds at once.
    """

    method: ClassVar[str] = "venue.set_regime"
    regime: int
    document_name: str = ""
    document_number: str = ""
    document_date: str = ""
    document_sha256: str = ""
    max_clients: int | None = None
    max_day_value: int | None = None
    max_total_value: int | None = None
    last_trading_day: str | None = None
    min_hold_trading_days: int = 0
    buyers: tuple[str, ...] = ()
    by: str = ""
