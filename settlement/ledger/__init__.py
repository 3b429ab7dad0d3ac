"""The double-entry ledger: what each event posts, and what waits for the engine."""
