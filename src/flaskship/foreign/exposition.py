"""The counts of an app as Prometheus reads them, in its text format 0.0.4; web/exposition.py has those of models.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from typing import Dict, Iterator, List, Sequence

from flaskship import __version__
from flaskship.metrics import SECONDS, Name

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
Cells = Dict[Name, List[float]]


def page(name: str, cells: Cells) -> bytes:
    lines = [
        *_counter("requests", "Requests that were answered.", ("model", "route", "method", "status"), cells),
        *_histogram("request_duration_seconds", "Time to answer a request.", ("model", "route"), cells),
        *_rejected(cells),
        *_head("requests_in_flight", "Requests that are being answered.", "gauge"),
        f"flaskship_requests_in_flight {sum(cells.get(Name('in_flight', ()), [0.0]))}",
        *_head("build_info", "The version that serves.", "gauge"),
        f"flaskship_build_info{_labels(('version',), (__version__,))} 1.0",
        *_head("model_info", "The models that are served.", "gauge"),
        f"flaskship_model_info{_labels(('model', 'framework'), (name, 'app'))} 1.0",
    ]
    return "\n".join([*lines, ""]).encode()


def _head(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP flaskship_{name} {text}", f"# TYPE flaskship_{name} {kind}"]


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    return "{" + ",".join(f'{name}="{value}"' for name, value in zip(names, escaped)) + "}"


def _counter(name: str, text: str, labels: Sequence[str], cells: Cells) -> Iterator[str]:
    yield from _head(f"{name}_total", text, "counter")
    for (metric, values), (count, *_) in sorted(cells.items()):
        if metric == name:
            yield f"flaskship_{name}_total{_labels(labels, values)} {count}"


def _rejected(cells: Cells) -> Iterator[str]:
    """Requests turned away, which are those answered with 429 and 503."""
    sums: dict[tuple[str, ...], float] = {}
    for (metric, labels), (count, *_) in cells.items():
        if metric == "requests" and labels[3] in ("429", "503"):
            kind = labels[0], labels[1], labels[3]
            sums[kind] = sums.get(kind, 0.0) + count
    yield from _head("requests_rejected_total", "Requests turned away.", "counter")
    for labels, count in sorted(sums.items()):
        yield f"flaskship_requests_rejected_total{_labels(('model', 'route', 'status'), labels)} {count}"


def _histogram(name: str, text: str, labels: Sequence[str], cells: Cells) -> Iterator[str]:
    yield from _head(name, text, "histogram")
    for (metric, values), (*counts, total) in sorted(cells.items()):
        if metric != name:
            continue
        running = 0.0
        for bound, count in zip([*map(str, SECONDS), "+Inf"], counts):
            running += count
            yield f"flaskship_{name}_bucket{_labels((*labels, 'le'), (*values, bound))} {running}"
        yield f"flaskship_{name}_count{_labels(labels, values)} {running}"
        yield f"flaskship_{name}_sum{_labels(labels, values)} {total}"
