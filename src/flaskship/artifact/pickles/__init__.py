"""Pickles: what a file names and calls, whether that is safe, who made it; and loading it by the same rule.

A scan runs the pickle's opcodes on symbols (`walk`). Loading then names nothing but what the scan saw and finds arrays
nowhere but where it saw them, so that the two cannot disagree (`shim.unpickle`).
"""

from __future__ import annotations

from flaskship.artifact.pickles.loader import load, refuse_unsafe
from flaskship.artifact.pickles.scanner import LIMIT, Scan, scan, xgboost_version

__all__ = ["LIMIT", "Scan", "load", "refuse_unsafe", "scan", "xgboost_version"]
