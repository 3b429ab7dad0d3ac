"""The model's opening of trading days: whether a day has opened is found from everything that has happened in it."""

from goldx.protocol import events, terms
from goldx.protocol.events import AnyEvent
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.opening_events import DayOpeningDecided
from tests.matching.core.model_books import Books
from tests.matching.core.model_parts import Refused

TRADING = (terms.PRE_OPEN, terms.AUCTION, terms.CONTINUOUS)


class Opening(Books):
    trading_day: str = ""
    opening_demanded: bool = False
    decided: tuple[str, str | None, bool] = ("", None, False)
    """The last decision: of which day, what stands in the way, whether trading went on when it was the first one."""
    of_day: tuple[AnyEvent, ...] = ()
    """The events of this trading day since the demand."""

    def emit(self, kind: type[AnyEvent], *fields: object) -> None:
        super().emit(kind, *fields)
        if kind in (events.Trade, events.PhaseChanged) and self.opening_demanded:
            self.of_day += (self.out[-1],)

    def do_market_permit_opening(self, c: MarketPermitOpening) -> None:
        if c.trading_day != self.trading_day:
            raise Refused("BAD_VALUE")
        if self.has_opened():
            return
        trading = not self.opening_demanded and any(one.phase in TRADING for one in self.instruments.values())
        decided = (c.trading_day, None if trading else c.obstacle or None, trading)
        is_news = not self.opening_demanded or decided != self.decided or not self.is_decided()
        self.opening_demanded, self.decided = True, decided
        if is_news:
            self.emit(DayOpeningDecided, c.trading_day, decided[1], c.by)

    def begin_waiting(self, next_trading_day: str) -> None:
        self.of_day = ()
        self.decided = ("" if self.trading_day else next_trading_day, None, False)

    def is_decided(self) -> bool:
        return self.decided[0] == self.trading_day

    def has_opened(self) -> bool:
        if not self.opening_demanded:
            return False
        traded = any(isinstance(one, events.Trade) or getattr(one, "phase", None) in TRADING for one in self.of_day)
        return traded or (self.is_decided() and self.decided[2])

    def waits(self) -> bool:
        may = self.is_decided() and self.decided[1] is None
        return self.opening_demanded and not self.has_opened() and not may

    def check_opening(self, phase: int) -> None:
        if phase in TRADING and self.waits():
            raise Refused("DAY_WAITS")

    def opening(self) -> tuple[int, str]:
        """Return the state as the core numbers it, and the obstacle that is known."""
        if not self.opening_demanded:
            return 0, ""
        known = self.decided[1] if self.is_decided() else None
        return (3 if self.has_opened() else 1 if self.waits() else 2), known or ""
