"""The tables of settlement, one module per business folder."""
