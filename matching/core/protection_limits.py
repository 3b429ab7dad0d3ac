"""The limits of a group of quotes, and what its quotes have traded within the window."""

from __future__ import annotations

from collections import deque


class Protection:
    """The limits that a member has set for a group of its quotes. 0: that limit is not set.

    ``trades`` has (time, bought, sold) for each millisecond of the window in which its quotes traded, the oldest first;
    ``bought`` and ``sold`` are their sums. All in fine mg.
    """

    __slots__ = ("bought", "frozen", "max_net", "max_quantity", "sold", "trades", "window_ms")

    def __init__(self, window_ms: int, max_quantity: int, max_net: int) -> None:
        self.window_ms: int = window_ms
        self.max_quantity: int = max_quantity
        self.max_net: int = max_net
        self.frozen: bool = False
        """Whether a limit was reached, so that no quote of the group may be open."""
        self.trades: deque[tuple[int, int, int]] = deque()
        self.bought: int = 0
        self.sold: int = 0

    def begin(self) -> None:
        """Begin to count anew."""
        self.trades.clear()
        self.bought = self.sold = 0

    def forget_before(self, now: int) -> None:
        """Forget the trades that are not within the window any more: those ``window_ms`` old or older."""
        trades = self.trades
        first = now - self.window_ms
        while trades and trades[0][0] <= first:
            _, bought, sold = trades.popleft()
            self.bought -= bought
            self.sold -= sold

    def count(self, now: int, bought: int, sold: int) -> None:
        """Count a trade of one of the quotes."""
        self.forget_before(now)
        trades = self.trades
        if trades and trades[-1][0] == now:
            _, earlier_bought, earlier_sold = trades.pop()
            trades.append((now, earlier_bought + bought, earlier_sold + sold))
        else:
            trades.append((now, bought, sold))
        self.bought += bought
        self.sold += sold

    def within(self, now: int) -> tuple[int, int]:
        """Return what was bought and sold within the window that ends now. Changes nothing. O(trades)."""
        bought, sold = self.bought, self.sold
        for time, earlier_bought, earlier_sold in self.trades:
            if time > now - self.window_ms:
                break
            bought -= earlier_bought
            sold -= earlier_sold
        return bought, sold

    def is_reached(self) -> bool:
        """Return whether what was counted has reached a limit."""
        return self.reached_by(self.bought, self.sold)

    def reached_by(self, bought: int, sold: int) -> bool:
        """Return whether so much within the window reaches a limit."""
        if self.max_quantity and bought + sold >= self.max_quantity:
            return True
        return self.max_net > 0 and abs(bought - sold) >= self.max_net
