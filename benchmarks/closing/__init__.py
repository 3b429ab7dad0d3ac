"""The close of a big day: how long each step takes, how that grows, and that it does not grow with history."""
