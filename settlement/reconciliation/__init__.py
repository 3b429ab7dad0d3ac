"""Ledger, engine and warehouse held against each other, and the differences found."""
