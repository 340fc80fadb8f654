"""The counters, which what runs around somebody's app shares: see flaskship/metrics.py."""

from flaskship.metrics import ROWS, SECONDS, Metrics, Name

__all__ = ["ROWS", "SECONDS", "Metrics", "Name"]
