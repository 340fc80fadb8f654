"""A bill of materials: every wheel and every Debian package, with version and licence, in CycloneDX 1.5 JSON.

https://cyclonedx.org/docs/1.5/json/
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from flaskship import __version__
from flaskship.image.wheels import Package

MEDIA_TYPE = "application/vnd.cyclonedx+json"
TOOL = {"type": "application", "name": "flaskship", "version": __version__}


def write(packages: Sequence[Package], name: str, digest: str) -> bytes:
    """The document about the image `digest`: equal for equal images, so without a time, and named by the digest."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [TOOL]},
            "component": {"type": "container", "bom-ref": digest, "name": name, "version": digest},
        },
        "components": [_component(each) for each in sorted(packages, key=lambda each: (each.kind, each.name))],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def _component(package: Package) -> dict[str, Any]:
    reference = purl(package)
    licences = [{"license": {"name": package.licence}}] if package.licence else []
    found = {"type": "library", "bom-ref": reference, "name": package.name, "version": package.version}
    return found | {"licenses": licences, "purl": reference}


def purl(package: Package) -> str:
    """https://github.com/package-url/purl-spec"""
    if package.kind == "deb":
        return f"pkg:deb/debian/{package.name}@{quote(package.version, safe='')}?arch={package.architecture}"
    return f"pkg:pypi/{package.name}@{quote(package.version, safe='')}"
