"""What is written for people to keep: bar exports, account statements, stock reports."""
