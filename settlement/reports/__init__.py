"""Reports for people to keep: bar exports, account statements, stock reports."""
