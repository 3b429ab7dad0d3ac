"""The deterministic matching core, and the engine process around it."""
