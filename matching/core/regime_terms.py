"""The legal regime that the venue has: its terms, and what they allow (domain sheet 5.1 to 5.4)."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from goldx.protocol.details import write_detail
from goldx.protocol.terms import APPROVED, LAST_CENTRALISED, NEGOTIATED, REGIMES, SANDBOX, TRADING_MODES, WIND_DOWN

SHA256_DIGITS: Final = 64
LONGEST_HOLD_DAYS: Final = 250
NO_CAP: Final = 1 << 62
"""A value in fen that all trades together do not reach."""


class Regime:
    """A regime with its document, caps and buyers: the fields of ``goldx.protocol.VenueSetRegime``."""

    __slots__ = (
        "buyers",
        "document_date",
        "document_name",
        "document_number",
        "document_sha256",
        "hold_days",
        "kind",
        "last_trading_day",
        "max_clients",
        "max_day_value",
        "max_total_value",
    )

    kind: int
    document_name: str
    document_number: str
    document_date: str
    document_sha256: str
    max_clients: int | None
    max_day_value: int | None
    max_total_value: int | None
    last_trading_day: str | None
    hold_days: int
    buyers: tuple[str, ...]

    def __init__(self, values: tuple[Any, ...]) -> None:
        (
            self.kind,
            self.document_name,
            self.document_number,
            self.document_date,
            self.document_sha256,
            self.max_clients,
            self.max_day_value,
            self.max_total_value,
            self.last_trading_day,
            self.hold_days,
            buyers,
        ) = values
        self.buyers = tuple(buyers)

    def values(self) -> tuple[Any, ...]:
        """Return the fields in the order of the command and of the events."""
        return (
            self.kind,
            self.document_name,
            self.document_number,
            self.document_date,
            self.document_sha256,
            self.max_clients,
            self.max_day_value,
            self.max_total_value,
            self.last_trading_day,
            self.hold_days,
            self.buyers,
        )

    def is_guarded(self) -> bool:
        """Return whether the regime may refuse an order: every regime but APPROVED."""
        return self.kind != APPROVED

    def has_lapsed(self, trading_day: str) -> bool:
        """Return whether the last trading day of a sandbox is over."""
        return self.last_trading_day is not None and trading_day > self.last_trading_day

    def allows(self, mode: int, trading_day: str) -> bool:
        """Return whether a way of trading, one of ``goldx.protocol.terms.TRADING_MODES``, is allowed on a day."""
        if mode > LAST_CENTRALISED:
            return True
        return self.kind == APPROVED or (self.kind == SANDBOX and not self.has_lapsed(trading_day))

    def why_not(self, mode: int) -> str:
        """Return what would be needed for a way of trading that is not allowed."""
        name = TRADING_MODES[mode]
        if self.kind == SANDBOX:
            needed = f"the sandbox ended with trading day {self.last_trading_day}; it needs a new one, or APPROVED"
        elif self.kind == WIND_DOWN:
            needed = "nothing new begins in WIND_DOWN"
        else:
            needed = f"{REGIMES[self.kind]} does not allow it; it needs SANDBOX or APPROVED"
        return write_detail(name, needed)

    def wrong_term(self) -> str:
        """Return what is wrong with the terms, or an empty text."""
        if not 0 <= self.kind < len(REGIMES):
            return write_detail("regime", "one of " + ", ".join(REGIMES))
        document = (self.document_name, self.document_number, self.document_date, self.document_sha256)
        if self.kind != NEGOTIATED or any(document):
            if not self.document_name.strip() or not self.document_number.strip():
                return "document_name, document_number: those of the document on which the regime rests"
            if not _is_date(self.document_date):
                return write_detail("document_date", "a date such as 2026-11-24")
            if len(self.document_sha256) != SHA256_DIGITS or self.document_sha256.strip("0123456789abcdef"):
                return write_detail("document_sha256", "64 digits 0 to 9, a to f")
        caps = (self.max_clients, self.max_day_value, self.max_total_value)
        if self.kind == SANDBOX:
            if None in caps or self.last_trading_day is None:
                return "max_clients, max_day_value, max_total_value, last_trading_day: a sandbox has all four"
            if min([cap for cap in caps if cap is not None]) < 1 or not _is_date(self.last_trading_day):
                return "max_clients, max_day_value, max_total_value: 1 or more; last_trading_day: a date"
        elif any(cap is not None for cap in caps) or self.last_trading_day is not None:
            return "max_clients, max_day_value, max_total_value, last_trading_day: for SANDBOX alone"
        if self.buyers and self.kind != WIND_DOWN:
            return write_detail("buyers", "for WIND_DOWN alone")
        if not 0 <= self.hold_days <= LONGEST_HOLD_DAYS:
            return write_detail("min_hold_trading_days", f"0 to {LONGEST_HOLD_DAYS}")
        return ""


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
