"""Banks: their statements, read and kept entry by entry."""
