"""How fast settlement answers over many lots: a database filled in one go, and the product's own functions timed."""
