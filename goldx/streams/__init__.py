"""The command journal and the event stream of a shard, on Redis or Valkey and in the archive."""
