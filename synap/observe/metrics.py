"""Prometheus metrics at `/metrics`, in the text format 0.0.4.

For each command there are counts and a histogram, which kernels maintain; one call in 16 is timed (see `times`).
The making of each HTTP reply is timed too, from the complete request to the finished reply (without waiting for
keys, disk and network).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from synap.command import Catalogue
from synap.observe import counters, times
from synap.observe.counters import CALLS, CHANGES, REFUSALS
from synap.store.memory import layout

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


class Durations:
    """A histogram of durations in nanoseconds."""

    def __init__(self) -> None:
        self._bounds = [round(bound * 1e9) for bound in BUCKETS_S]
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.total = 0

    def note(self, nanoseconds: int) -> None:
        """Add a duration."""
        self.counts[bisect_left(self._bounds, nanoseconds)] += 1
        self.total += nanoseconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound in seconds, number of durations up to that bound) of every bucket."""
        found: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*map(repr, BUCKETS_S), "+Inf"), self.counts, strict=True):
            below += count
            found.append((bound, below))
        return found


class Metrics:
    """The metrics of one server that are not in its heap."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.statuses: Counter[int] = Counter()  # HTTP replies by status
        self.http = Durations()

    def exposition(self, server: Any) -> tuple[bytes, bytes]:
        """Return (text, content type) of all metrics with their current values."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Collected(list(self.collect(server))))
        return generate_latest(registry), CONTENT_TYPE

    def collect(self, server: Any) -> Iterator[Metric]:
        """Yield every metric family; those about data only once the node is open."""
        yield _gauge("synap_up", "1 if the node serves commands, 0 while it starts", int(server.node is not None))
        yield _gauge("synap_uptime_seconds", "Time since the start", server.uptime)
        yield from self._http(server)
        if server.node is not None:
            numbers = server.engine.numbers
            yield from self._commands(numbers)
            yield from self._counters(numbers)
            yield from _persistence(server.node.persistence())
            yield from _figures(server.node.changes.report())
            lost = server.engine.host.log_lines_dropped()
            doc = "Log lines that were dropped because standard error was blocked"
            yield CounterMetricFamily("synap_log_lines_dropped", doc, lost)

    def _http(self, server: Any) -> Iterator[Metric]:
        requests = CounterMetricFamily("synap_http_requests", "HTTP requests answered", labels=["status"])
        for status, count in sorted(self.statuses.items()):
            requests.add_metric([str(status)], count)
        yield requests
        durations = HistogramMetricFamily(
            "synap_http_request_duration_seconds",
            "Time to make an HTTP reply, without waiting for keys, disk or network",
        )
        durations.add_metric([], self.http.buckets(), self.http.total / 1e9)
        yield durations
        yield _gauge("synap_connections", "Open connections, all listeners together", len(server.connections))
        feeds = GaugeMetricFamily("synap_feeds", "Open WebSockets and event streams", labels=["kind"])
        open_feeds = server.connections.feeds()
        for kind in ("event_stream", "websocket"):
            feeds.add_metric([kind], open_feeds[kind])
        yield feeds
        yield CounterMetricFamily("synap_connections_made", "Connections accepted", server.connections.made)
        yield CounterMetricFamily(
            "synap_connections_refused", "Connections closed at once because of a limit on connections",
            server.connections.refused,
        )

    def _commands(self, numbers: Any) -> Iterator[Metric]:
        calls = CounterMetricFamily("synap_commands", "Calls carried out", labels=["command", "status"])
        changes = CounterMetricFamily("synap_commands_changed", "Calls that changed the state", labels=["command"])
        operations = CounterMetricFamily(
            "synap_kv_operations", "Calls on strings and keys", labels=["operation", "status"]
        )
        durations = HistogramMetricFamily(
            "synap_command_duration_seconds",
            "Time to run one call in 16, without reading the command and sending the reply",
            labels=["command"],
        )
        for row in self.catalogue.rows:
            took = times.of(numbers, row.code)
            if took.count:
                durations.add_metric([row.name], _buckets(took), took.total_ns / 1e9)
            at = layout.COUNTERS + layout.COUNTER_WORDS * row.code
            if not numbers[at + CALLS] and not numbers[at + REFUSALS]:
                continue
            refused = int(numbers[at + REFUSALS])
            families = (calls, operations) if row.family in ("kv", "key") else (calls,)
            for family in families:
                family.add_metric([row.name, "success"], int(numbers[at + CALLS]) - refused)
                family.add_metric([row.name, "error"], refused)
            if row.writes:
                changes.add_metric([row.name], int(numbers[at + CHANGES]))
        yield from (calls, changes, operations, durations)

    def _counters(self, numbers: Any) -> Iterator[Metric]:
        for row in counters.TABLE:
            name = f"synap_{row.name}"
            value = row.read(numbers, self.catalogue)
            if name == "synap_commands_total":
                continue  # equals the sum over the labels of the family `synap_commands`
            if row.kind == "counter":
                yield CounterMetricFamily(name.removesuffix("_total"), row.doc, value)
            else:
                yield _gauge(name, row.doc, value)
        keys = GaugeMetricFamily("synap_namespace_keys", "Keys in a namespace", labels=["namespace"])
        for namespace in range(layout.NAMESPACES):
            count = int(numbers[layout.KEYS_COUNT + namespace])
            if count or namespace == 0:
                keys.add_metric([str(namespace)], count)
        yield keys
        memory = GaugeMetricFamily("synap_kv_memory_bytes", "Memory for data, in bytes", labels=["type"])
        memory.add_metric(["used"], int(numbers[layout.PAGES_USED]) * layout.PAGE_BYTES)
        memory.add_metric(["total"], int(numbers[layout.BYTES_MAX]))
        yield memory


def _buckets(took: times.Times) -> list[tuple[str, float]]:
    """Return (upper bound in seconds, number of calls up to it) for every second power of two, 0.25 us to 1 s."""
    found = [(repr((2 << i) / 1e9), float(sum(took.buckets[: i + 1]))) for i in range(7, layout.TIMES_SIZE - 2, 2)]
    return [*found, ("+Inf", float(took.count))]


class _Collected:
    """A collector of existing metric families, for a registry."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _gauge(name: str, doc: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, doc, value)


def _figures(facts: dict[str, Any]) -> Iterator[Metric]:
    """Yield the numbers of a section of INFO."""
    for name, value in facts.items():
        if isinstance(value, int | float):
            yield _gauge(f"synap_{name}", f"{name.replace('_', ' ')}, as in INFO", value)


def _persistence(facts: dict[str, Any]) -> Iterator[Metric]:
    """Yield the numbers of INFO's section on persistence, and a gauge that is 1 if the log has failed."""
    yield from _figures(facts)
    failed = int(facts["log_failed"] != "no")
    yield _gauge("synap_log_failed", "1 while writes are refused because the log failed", failed)
