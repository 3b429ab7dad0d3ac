"""The tables of settlement, a module per business folder, and some for parts of one."""
