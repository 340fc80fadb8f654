from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flaskship.serve.job import APART, FAST, JOINED, Job
from flaskship.settings import Settings

COMPILED = {"compilation": {"compiled": True}, "facts": {"scaled": False}}
NET = {"compilation": {"compiled": True}, "facts": {"scaled": True}}
ORIGINAL = {"compilation": {"compiled": False}, "facts": {"scaled": False}}
VALUE = {"answers": "value"}


def code(*batches: int) -> dict[str, Any]:
    return {"code": {"endpoints": [{"batch": each, "signature": VALUE} for each in batches]}}


@pytest.mark.parametrize(
    ("manifest", "threads"),
    [
        (COMPILED, FAST),
        (NET, JOINED),
        (ORIGINAL, JOINED),
        (code(64, 8), JOINED),
        (code(0), APART),
        (code(64, 0), APART),
    ],
)
def test_there_are_more_request_threads_where_their_rows_are_joined(tmp_path: Path, manifest, threads):
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert Job(bundles=(tmp_path,), settings=Settings(), shared=tmp_path).threads == threads
    assert Job(bundles=(tmp_path,), settings=Settings(threads=3), shared=tmp_path).threads == 3
