"""The close of a trading day: a range of the engine's events, closed step by step and signed."""
