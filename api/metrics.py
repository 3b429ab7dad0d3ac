"""The status of a gateway and of the engines of its shard as Prometheus metrics."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from goldx.streams.engines import LEADER, RECOVERING, STANDBY

_GATEWAY_GAUGES = {
    "sequence": ("sequence", "Newest event that the gateway has folded."),
    "sessions": ("sessions", "Connected sessions."),
    "waiting": ("commands_waiting", "Commands taken and not answered yet."),
}
_GATEWAY_SECONDS = {
    "lag_ms": ("lag_seconds", "Age of the oldest command or event that waits for the engine or this gateway, else 0."),
    "server_age_ms": ("server_known_seconds", "Age of the metrics of the journal's server and of the engines."),
    "keys_age_ms": ("keys_age_seconds", "Time since the gateway last read the registered keys."),
    "clock_offset_ms": ("clock_offset_seconds", "Clock of the journal's server minus this machine's."),
    "longest_stall_ms": ("longest_stall_seconds", "Longest piece of work of the last minute that blocked the loop."),
    "staff_silent_ms": ("staff_silent_seconds", "Time for which the process for staff has not answered, else 0."),
}
"""Times that the status has in milliseconds; unknown ones are left out."""
_GATEWAY_COUNTERS = {
    "stalls": ("loop_stalls", "Number of times that one piece of work blocked the loop for more than 20 ms."),
    "staff_hangs": ("staff_hangs", "Number of times that the process for staff hung and was ended."),
}
_ENGINE_GAUGES = {
    "sequence": ("engine_sequence", "Last event that the engine has made."),
    "epoch": ("engine_epoch", "Epoch under which the engine leads, 0 if it does not."),
    "unpublished": ("engine_events_unpublished", "Events made and not known to be in the event stream."),
}
_ENGINE_TIMES = {
    "position": ("engine_position_seconds", "Time of the newest entry of the journal that the engine has applied."),
    "snapshot": ("engine_snapshot_seconds", "Time of the entry at which its last snapshot was taken."),
    "digest": ("engine_digest_seconds", "Time of the entry at which its last digest was published or compared."),
}
"""Positions in the journal, as the times (Unix seconds) with which they begin."""
_ENGINE_COUNTERS = {
    "commands": ("engine_commands", "Commands of the journal that the engine has applied."),
    "chain_breaks": ("engine_chain_breaks", "Frames that did not follow those of the same writer."),
}


class _StatusCollector(Collector):
    """Makes metrics of what ``Gateway.status`` returns.

    Every label has few values: those that grow with time or with each start (positions, process ids) would make a new
    time series each.
    """

    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        labels = ("shard", "gateway")
        where = [status[name] for name in labels]
        for name, (metric, text) in _GATEWAY_GAUGES.items():
            yield _sample(GaugeMetricFamily, metric, text, labels, where, status[name])
        for name, (metric, text) in _GATEWAY_SECONDS.items():
            if (found := status[name]) is not None:
                yield _sample(GaugeMetricFamily, metric, text, labels, where, found / 1_000)
        for name, (metric, text) in _GATEWAY_COUNTERS.items():
            if (found := status[name]) is not None:
                yield _sample(CounterMetricFamily, metric, text, labels, where, found)
        if (calendar := status["calendar"]) is not None and calendar["days_left"] is not None:
            text = "Days of the trading calendar after the present trading day."
            yield _sample(GaugeMetricFamily, "calendar_days_left", text, labels, where, calendar["days_left"])
        if (timetable := status["timetable"]) is not None:
            text = "1 if nothing keeps the timetable from being followed; the status says what does."
            yield _sample(GaugeMetricFamily, "timetable_followed", text, labels, where, int(not timetable["trouble"]))
        if (numbers := status["breaks_past_limit"]) is not None:
            text = "Breaks that stop the next day from opening, by area."
            breaks = GaugeMetricFamily("goldx_breaks_past_limit", text, labels=(*labels, "area"))
            for area, number in numbers.items():
                breaks.add_metric([*where, area], number)
            yield breaks
        for metric, holds, text in (
            ("healthy", status["trouble"] is None, "1 if orders are taken and matched; the status says why not."),
            ("taking_orders", status["refusing"] is None, "1 if new orders are taken; the status says why not."),
            ("server_reachable", status["server_reachable"], "1 if the journal's server has answered just now."),
            ("durability_full", status["durable"], "1 if every acknowledged command is on the disk."),
        ):
            yield _sample(GaugeMetricFamily, metric, text, labels, where, int(holds))
        yield from self._engines()

    def _engines(self) -> Iterator[Metric]:
        """Yield the metrics of the engines, which are numbered: the leader is 1 if one leads."""
        shard = self._status["shard"]
        engines = list(enumerate(self._status["engines"], 1))
        running = GaugeMetricFamily("goldx_engines", "Engines that run, by role.", labels=("shard", "role"))
        for role in (LEADER, STANDBY, RECOVERING):
            running.add_metric([shard, role], sum(engine["role"] == role for _, engine in engines))
        yield running
        labels = ("shard", "engine", "role")
        for family, metrics in (
            (GaugeMetricFamily, _ENGINE_GAUGES),
            (GaugeMetricFamily, _ENGINE_TIMES),
            (CounterMetricFamily, _ENGINE_COUNTERS),
        ):
            for name, (metric, text) in metrics.items():
                found = family(f"goldx_{metric}", text, labels=labels)
                for number, engine in engines:
                    if (value := engine[name]) is not None:
                        seconds = _seconds(value) if metrics is _ENGINE_TIMES else value
                        found.add_metric([shard, str(number), engine["role"]], seconds)
                yield found
        info = InfoMetricFamily("goldx_engine", "Durability of commands that the engine acknowledges.", labels=labels)
        for number, engine in engines:
            info.add_metric([shard, str(number), engine["role"]], {"durability": engine["durability"]})
        yield info


def _seconds(position: str) -> float:
    """Return the time of a position in the journal, such as ``1764000000000-0``, in Unix seconds."""
    return int(position.partition("-")[0]) / 1_000


def _sample(family: Any, name: str, text: str, labels: tuple[str, ...], values: list[str], value: float) -> Metric:
    found: Metric = family(f"goldx_{name}", text, labels=labels)
    found.add_metric(values, value)  # type: ignore[attr-defined]
    return found


def write(status: dict[str, Any]) -> bytes:
    """Return the text that Prometheus scrapes, made of what ``Gateway.status`` returns."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status))
    return generate_latest(registry)
