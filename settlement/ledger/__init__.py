"""The double-entry ledger: postings of events, own stock, money in and out, and the outbox to the engine."""
