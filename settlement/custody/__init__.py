"""Warehouse receipts, pledges, legal holds, and transfers between warehouses."""
