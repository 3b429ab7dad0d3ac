"""How fast the whole exchange takes orders, beside an echo server on the same stack and the bare journal."""
