"""The service; and the sizes of what its tests work on."""

LOTS, EACH = 4_000, 3
"""Lots of the filled database, and custody events of each."""
TRADES = 200
"""Trades of the batch."""
SOCKET = ".s.PGSQL.5432"
"""PostgreSQL's socket in its folder."""
