"""The command journal and the event stream: on Redis or Valkey, in the archive, and what proves them whole."""
