"""The counts as Prometheus reads them.

flaskship_requests_total{model="sales",route="predict",method="POST",status="200"} 42.0
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from flaskship import __version__
from flaskship.metrics import ROWS, SECONDS, Name, busy, summed
from flaskship.web.subject import Site

Cells = dict[Name, list[float]]


def page(site: Site, accept: str) -> tuple[bytes, str]:
    """The text of /metrics and its content type, in the format that `accept` prefers."""
    registry = CollectorRegistry()
    registry.register(Counts(site))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


class Counts(Collector):
    def __init__(self, site: Site) -> None:
        self._site = site

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        processes = list(self._site.metrics.processes())
        cells = summed(processes)
        yield _counter("requests", "Requests that were answered.", ["model", "route", "method", "status"], cells)
        yield _histogram("request_duration_seconds", "Time to answer a request.", ["model", "route"], SECONDS, cells)
        yield _histogram("model_duration_seconds", "Time of one call of the model.", ["model"], SECONDS, cells)
        yield _histogram("batch_rows", "Rows of one call of the model.", ["model"], ROWS, cells)
        yield _histogram("batch_requests", "Requests joined in one call of the model.", ["model"], ROWS, cells)
        yield _counter("tokens", "Tokens that the model was given, with padding.", ["model"], cells)
        padding = {Name("padding", name.labels): [found[1]] for name, found in cells.items() if name.metric == "tokens"}
        yield _counter("padding", "Tokens of padding, of texts that were joined.", ["model"], padding)
        yield self._rejected(cells)
        flying = GaugeMetricFamily("flaskship_requests_in_flight", "Requests that are being answered.")
        flying.add_metric([], sum(cells.get(Name("in_flight", ()), [0.0])))
        yield flying
        yield from self._work(processes, cells)
        yield from self._info()

    def _rejected(self, cells: Cells) -> Metric:
        """Requests turned away, which are those answered with 429 and 503."""
        family = CounterMetricFamily(
            "flaskship_requests_rejected", "Requests turned away.", labels=["model", "route", "status"]
        )
        sums: dict[tuple[str, str, str], float] = {}
        for (metric, labels), (count, *_) in cells.items():
            if metric == "requests" and labels[3] in ("429", "503"):
                kind = labels[0], labels[1], labels[3]
                sums[kind] = sums.get(kind, 0.0) + count
        for kind, count in sorted(sums.items()):
            family.add_metric(list(kind), count)
        return family

    def _work(self, processes: Sequence[Cells], cells: Cells) -> Iterable[Metric]:
        """How busy the models are, and what they do at once."""
        now = time.monotonic()
        share = GaugeMetricFamily(
            "flaskship_model_busy_ratio", "Share of the last minute that the model was at work.", labels=["model"]
        )
        waiting = GaugeMetricFamily(
            "flaskship_requests_waiting", "Requests that wait for the model, to be joined.", labels=["model"]
        )
        most = GaugeMetricFamily(
            "flaskship_max_batch", "Most rows of several requests that are joined for the model.", labels=["model"]
        )
        for subject in self._site.subjects:
            shares = [busy(each[name], now) for each in processes if (name := Name("busy", (subject.name,))) in each]
            share.add_metric([subject.name], sum(shares) / max(len(shares), 1))
            waiting.add_metric([subject.name], sum(cells.get(Name("requests_waiting", (subject.name,)), [0.0])))
            if subject.max_batch:
                most.add_metric([subject.name], subject.max_batch)
        yield from (share, waiting, most)
        workers = GaugeMetricFamily("flaskship_workers", "Processes that serve.")
        workers.add_metric([], sum(Name("in_flight", ()) in each for each in processes))
        yield workers

    def _info(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("flaskship_build_info", "The version that serves.", labels=["version"])
        build.add_metric([__version__], 1.0)
        yield build
        models = GaugeMetricFamily(
            "flaskship_model_info", "The models that are served.", labels=["model", "version", "framework", "digest"]
        )
        for subject in self._site.subjects:
            told = [str(subject.card.get(each, "")) for each in ("framework", "digest")]
            models.add_metric([subject.name, subject.version, *told], 1.0)
        yield models


def _counter(name: str, text: str, labels: Sequence[str], cells: Cells) -> Metric:
    family = CounterMetricFamily(f"flaskship_{name}", text, labels=labels)
    for (metric, values), (count, *_) in sorted(cells.items()):
        if metric == name:
            family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, labels: Sequence[str], bounds: Sequence[float], cells: Cells) -> Metric:
    family = HistogramMetricFamily(f"flaskship_{name}", text, labels=labels)
    for (metric, values), (*counts, total) in sorted(cells.items()):
        if metric == name:
            running, buckets = 0.0, []
            for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
                running += count
                buckets.append((bound, running))
            family.add_metric(values, buckets, total)
    return family
