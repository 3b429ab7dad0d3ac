"""The archive of the two streams: writing it, reading it, replaying and restoring from it."""
