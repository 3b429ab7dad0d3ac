"""The names of a shard's keys on Redis or Valkey."""


class Keys:
    """The names of a shard's keys. All share one hash tag, so that a cluster keeps them on one server."""

    def __init__(self, shard: str = "0") -> None:
        tag = f"goldx:{{{shard}}}"
        self.shard = shard
        self.journal = f"{tag}:journal"
        self.events = f"{tag}:events"
        self.leader = f"{tag}:leader"
        self.epoch = f"{tag}:epoch"
        self.mark = f"{tag}:mark"
        """Written to find out what the replicas have (``goldx.streams.replicas``)."""
        self.snapshots = f"{tag}:snapshots"
        self.digests = f"{tag}:digests"
        """Hash: journal position -> ``<sequence> <SHA-256 of the core's state there>``, as it was published."""
        self.hand_over = f"{tag}:hand_over"
        """The epoch whose leader is asked to hand over; expires."""
        self.engines = f"{tag}:engines"
        """Set: names of the engines that have published a status; each status is under ``engine(name)``."""
        self.runs = f"{tag}:runs"
        """Hash: service instance (a gateway's id, ``settlement``) -> the number of its newest run."""
        self.posted = f"{tag}:posted"
        """The sequence up to which settlement has posted: events after it must not be trimmed."""
        self.acts = f"{tag}:acts"
        """Stream: acts of people on their way to the audit log (``goldx.streams.acts``)."""
        self.gateways = f"{tag}:gateways"
        """Hash: gateway -> an entry that changes while it runs (``goldx.streams.gateway_entries``)."""
        self.archived = f"{tag}:archived"
        """The number of segments in the shard's archive after its last pass; a folder with fewer is another archive."""
        self.timetable = f"{tag}:timetable"
        """The status of the service that follows the timetable; expires (``goldx.timetable.status``)."""
        self.timetable_state = f"{tag}:timetable:state"
        """Hash: the market state of that service, with the event frame up to which it was folded."""
        self.timetable_keys = f"{tag}:timetable:keys"
        """Hash: trading day -> the key with which its random ends are drawn (``goldx.timetable.day_keys``)."""
        self.opening = f"{tag}:opening"
        """Whether the trading day may open, from settlement; expires (``goldx.timetable.permission``)."""
        self.known_keys = f"{tag}:keys"
        """Hash: the registered keys as a gateway read them last, and when (``api.edge.key_register``)."""
        self._command_keys = f"{tag}:command_keys"
        self.notices = f"{tag}:notices"
        """Hash: change id -> a member, one of the staff or a key suspended or ended (``goldx.streams.standings``)."""

    def command_key(self, holder: str, key: str) -> str:
        """Return the key under which the answer to an operator's request is kept; it expires.

        ``key`` is the one that the request carried (``api.edge.command_keys``).
        """
        return f"{self._command_keys}:{len(holder)}:{holder}:{key}"

    def heartbeat(self, service: str) -> str:
        """Return the key that a service which runs keeps alive (``goldx.streams.heartbeats``); it expires."""
        return f"{self.runs}:{service}:alive"

    def engine(self, name: str) -> str:
        """Return the key of an engine's status; it expires."""
        return f"{self.engines}:{name}"

    def sessions(self, gateway: str) -> str:
        """Return the key of a gateway's sessions, a hash: session -> registration.

        A restarted gateway first closes these sessions, each after its grace.
        """
        return f"{self.runs}:{gateway}:sessions"
