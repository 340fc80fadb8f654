"""Whole texts, kept in deploy/golden/: `FLASKSHIP_GOLDEN=write pytest tests/deploy` renews them."""

from __future__ import annotations

import os
from pathlib import Path

from flaskship.deploy.service import Service
from flaskship.settings import Duration, Size

PLACE = Path(__file__).parent / "deploy" / "golden"
MEASURED = 96 << 20  # bytes
SALES = Service(
    name="sales", image=f"registry.example/me/sales:1.0@sha256:{'0' * 64}", version="1.0",
    env={"FLASKSHIP_WORKERS": "1"},
)  # fmt: skip
EVERYTHING = Service(
    name="sales", image="registry.example/me/sales:1.0", version="1.0", port=9000, published=8080, replicas=3,
    memory=Size(512 << 20), cpus=1.5, max_body=Size(2_000_000), timeout=Duration(5), grace=Duration(2.5),
    drain=Duration(1), rate_limit=50, nginx="registry.example/nginx:1.28", api_key="not-to-be-seen",
    env={"FLASKSHIP_WORKERS": "1", "FLASKSHIP_TIMEOUT": "5", "GREETING": 'say "$HOME": ok'},
)  # fmt: skip


def same(name: str, text: str) -> None:
    """Fails where `text` is not what is kept under `name`."""
    place = PLACE / name
    if os.environ.get("FLASKSHIP_GOLDEN") == "write":
        place.write_text(text, encoding="utf-8")
    assert text == place.read_text(encoding="utf-8"), f"{place} is otherwise. See tests/golden.py."
