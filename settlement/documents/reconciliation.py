"""The states of a break, which a reconciliation opens and a later one corrects."""

from typing import Final

BREAK_OPEN: Final = ("OPEN", "EXPLAINED")
"""The difference is still there."""
CORRECTED: Final = "CORRECTED"
"""The run after it did not find the difference again."""
