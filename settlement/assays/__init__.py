"""Assays: laboratories, results exchanged between two parties, certificates and valuations."""
