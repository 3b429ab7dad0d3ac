"""Assays: laboratories, the exchange of two parties, certificates, valuation."""
