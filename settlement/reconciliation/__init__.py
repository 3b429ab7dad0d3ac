"""Comparisons of ledger, engine and warehouses, and the breaks that they find."""
