"""Warehouse receipts, what binds gold, and transfers between warehouses."""
