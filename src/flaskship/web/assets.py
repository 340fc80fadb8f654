"""The files that pages load: ours, and those of Bootstrap and Swagger UI from their packages."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from flask import Blueprint, Flask, Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from flaskship.vendored import FOREIGN, place

STATIC = Path(__file__).parent / "static"
PACKED = (".css", ".js")
DAY = 86_400  # seconds


def add(app: Flask | Blueprint) -> None:
    """Routes `/assets/NAME`."""

    def asset(name: str) -> Response:
        folder = place(*FOREIGN[name]) if name in FOREIGN else STATIC
        if not (folder / name).is_file():
            raise NotFound
        # Ours are asked for anew, and answered 304: they belong to pages of one version.
        answer = send_from_directory(folder, name, max_age=DAY if name in FOREIGN else 0)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return packed(answer, folder / name) if name.endswith(PACKED) else answer

    app.add_url_rule("/assets/<name>", "asset", asset)


def packed(answer: Response, path: Path) -> Response:
    """`answer` as gzip where the client takes that: Bootstrap is 232 kB, and 31 kB so."""
    answer.headers["Vary"] = "Accept-Encoding"
    if answer.status_code != 200 or request.headers.get("Range") or not request.accept_encodings["gzip"]:
        return answer
    body = _gzipped(path, path.stat().st_mtime_ns)
    made = Response(body, headers=answer.headers, mimetype=answer.mimetype)
    made.headers["Content-Encoding"] = "gzip"
    made.headers["Content-Length"] = str(len(body))
    answer.close()
    return made


@functools.lru_cache(64)
def _gzipped(path: Path, changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), 6, mtime=0)
