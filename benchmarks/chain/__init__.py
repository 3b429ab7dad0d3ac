"""The speed of the whole exchange, beside an echo server on the same stack and the bare journal."""
