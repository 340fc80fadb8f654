"""The port that an app's own pages call, or that its server was told."""

from __future__ import annotations

import posixpath
import re
from collections import Counter

from flaskship.source import signs
from flaskship.source.apps import Apps
from flaskship.source.code import Code
from flaskship.source.values import Values

LOCAL = re.compile(r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})")
PAGES = (".html", ".htm", ".js", ".jsx", ".ts", ".tsx", ".vue", ".jinja", ".jinja2", ".j2")
SERVED = re.compile(r"(^|/)(templates|static|build|dist)/")
LARGEST = 512 << 10  # bytes of a page that is read
MOST = 500  # pages that are read
USUAL = {5000, 8000, 8080, 5001, 80}


def find(apps: Apps, file: str, told: int, exposed: int) -> tuple[int, list[str]]:
    """0 where nothing says one. What the pages call goes before what the server was `told` by a command or its code."""
    code = apps.code
    every = (signs.of(module, Values(code, module), "", apps.names(module.path)) for module in code.reach(file))
    own = next((each.port for each in every if each.port), 0)
    named = called(code)
    port = next((each for each in (told, own, exposed) if each in named), 0)
    port = port or next((each for each, _ in Counter(named).most_common() if each in USUAL), 0)
    if port:
        path, line = named[port]
        return port, [f"{path!r}, line {line}, calls localhost:{port}: that port has to be published."]
    return told or own or exposed, []


def called(code: Code) -> dict[int, tuple[str, int]]:
    """Each port of this machine that a page calls -> the first place that does."""
    found: dict[int, tuple[str, int]] = {}
    pages = [path for path, size in code.tree.files.items() if path.endswith(PAGES) and size <= LARGEST]
    pages = [path for path in pages if ".min." not in posixpath.basename(path)]
    for path in sorted(pages, key=lambda each: (not SERVED.search(each), each.count("/")))[:MOST]:
        text = code.tree.read(path, LARGEST)
        for match in LOCAL.finditer(text):
            found.setdefault(int(match[1]), (path, text.count("\n", 0, match.start()) + 1))
    return found
