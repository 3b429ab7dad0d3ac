"""The venue's time: Asia/Shanghai, which has had one time and no summer time since 1991."""

import time
from datetime import date, datetime, timedelta, timezone
from typing import Final

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")


def today() -> date:
    """Return the date in Shanghai by this machine's clock."""
    return datetime.now(SHANGHAI).date()


def now_ms() -> int:
    """Return this machine's time in ms since the epoch."""
    return time.time_ns() // 1_000_000


def midnight(day: date) -> int:
    """Return when a day begins in Shanghai, in ms since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp()) * 1_000


def day_of(at: int) -> date:
    """Return the date in Shanghai of a time in ms since the epoch."""
    return datetime.fromtimestamp(at // 1_000, SHANGHAI).date()


def shown_time(at: int) -> str:
    """Return a time in ms since the epoch as people in Shanghai read it, ``2026-11-24 09:30:00``."""
    return datetime.fromtimestamp(at // 1_000, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
