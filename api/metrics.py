"""The status of a gateway and of the engines of its shard as Prometheus metrics."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

_GATEWAY_GAUGES = {
    "sequence": ("sequence", "Newest event that the gateway has folded."),
    "sessions": ("sessions", "Connected sessions."),
    "waiting": ("commands_waiting", "Commands taken and not answered yet."),
}
_ENGINE_GAUGES = {
    "sequence": ("engine_sequence", "Last event that the engine has made."),
    "epoch": ("engine_epoch", "Epoch under which the engine leads, 0 if it does not."),
    "unpublished": ("engine_events_unpublished", "Events made and not known to be in the event stream."),
}
_ENGINE_COUNTERS = {
    "commands": ("engine_commands", "Commands of the journal that the engine has applied."),
    "chain_breaks": ("engine_chain_breaks", "Frames that did not follow those of the same writer."),
}


class _StatusCollector(Collector):
    """Makes metrics of what ``Gateway.status`` returns."""

    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        labels = ("shard", "gateway")
        where = [status[name] for name in labels]
        for name, (metric, text) in _GATEWAY_GAUGES.items():
            yield _sample(GaugeMetricFamily, metric, text, labels, where, status[name])
        lag = status["lag_ms"] / 1_000
        yield _sample(GaugeMetricFamily, "lag_seconds", "Journal's end to the last entry folded.", labels, where, lag)
        if (age := status["keys_age_ms"]) is not None:
            text = "Time since the gateway last read the registered keys."
            yield _sample(GaugeMetricFamily, "keys_age_seconds", text, labels, where, age / 1_000)
        if (offset := status["clock_offset_ms"]) is not None:
            text = "Clock of the journal's server minus this machine's."
            yield _sample(GaugeMetricFamily, "clock_offset_seconds", text, labels, where, offset / 1_000)
        if (calendar := status["calendar"]) is not None and calendar["days_left"] is not None:
            text = "Days of the trading calendar after the present trading day."
            yield _sample(GaugeMetricFamily, "calendar_days_left", text, labels, where, calendar["days_left"])
        takes = int(status["refusing"] is None)
        text = "1 if new orders are taken; the status says why not."
        yield _sample(GaugeMetricFamily, "taking_orders", text, labels, where, takes)
        durable = int(status["durable"])
        text = "1 if what is acknowledged is on the disk."
        yield _sample(GaugeMetricFamily, "durability_full", text, labels, where, durable)
        longest = status["longest_stall_ms"] / 1_000
        text = "Longest time in the last minute that one piece of work blocked the loop."
        yield _sample(GaugeMetricFamily, "longest_stall_seconds", text, labels, where, longest)
        text = "Number of times that one piece of work blocked the loop for more than 20 ms."
        yield _sample(CounterMetricFamily, "loop_stalls", text, labels, where, status["stalls"])
        yield from self._engines()

    def _engines(self) -> Iterator[Metric]:
        engines, shard = self._status["engines"], self._status["shard"]
        labels = ("shard", "engine", "role")
        for family, metrics in ((GaugeMetricFamily, _ENGINE_GAUGES), (CounterMetricFamily, _ENGINE_COUNTERS)):
            for name, (metric, text) in metrics.items():
                found = family(f"goldx_{metric}", text, labels=labels)
                for engine in engines:
                    found.add_metric([shard, engine["engine"], engine["role"]], engine[name])
                yield found
        info = InfoMetricFamily("goldx_engine", "Where the engine's last snapshot and digest stand.", labels=labels)
        for engine in engines:
            more = {name: engine[name] or "" for name in ("position", "snapshot", "digest", "durability")}
            info.add_metric([shard, engine["engine"], engine["role"]], more)
        yield info


def _sample(family: Any, name: str, text: str, labels: tuple[str, ...], values: list[str], value: float) -> Metric:
    found: Metric = family(f"goldx_{name}", text, labels=labels)
    found.add_metric(values, value)  # type: ignore[attr-defined]
    return found


def write(status: dict[str, Any]) -> bytes:
    """Return the text that Prometheus scrapes, made of what ``Gateway.status`` returns."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(status))
    return generate_latest(registry)
