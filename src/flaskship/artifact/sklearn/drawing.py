"""scikit-learn's own drawing of an estimator."""

from __future__ import annotations

import itertools
import re
from typing import Any

from sklearn.utils import estimator_html_repr

SCRIPTS = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
ACTIVE = re.compile(r"""\s(?:on\w+|href)\s*=\s*(?:"[^"]*"|'[^']*')""", re.IGNORECASE)  # no text has bare quotes
IDS = re.compile(r"sk-(?:container|estimator)-id-[\w-]+")
ADDRESSES = re.compile(r"(?: at 0x|\.\.\.[at 0]*x?)[0-9a-fA-F]+(?=&gt;|>)")  # a long repr is cut in its middle
STYLE = (
    "<style>.copy-paste-icon, .sk-estimator-doc-link { display: none !important; }</style>"  # need script or network
)
HEAD = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Diagram</title>\n{STYLE}</head><body>\n'


def of(estimator: Any) -> bytes:
    """The drawing as a page without scripts and links; equal for equal estimators, whatever was drawn before.

    Empty for an estimator that cannot be drawn, such as one of somebody's own without its parameters as attributes.
    """
    try:
        html = estimator_html_repr(estimator)
    except (AttributeError, TypeError, ValueError):
        return b""
    drawn = ACTIVE.sub("", SCRIPTS.sub("", html))
    numbers = {found: f"sk-id-{number}" for number, found in zip(itertools.count(), dict.fromkeys(IDS.findall(drawn)))}
    drawn = IDS.sub(lambda found: numbers[found[0]], ADDRESSES.sub("", drawn))
    return f"{HEAD}{drawn}\n</body></html>\n".encode()
