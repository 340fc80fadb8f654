"""From a plan to an image: lazy layers, then a config and a manifest. Equal plans on equal bases give equal digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from flaskship.image import spec, tar, wheels
from flaskship.image.base import Base
from flaskship.image.layer import Layer, Progress, layer
from flaskship.image.lock import Lock, interpreter
from flaskship.image.spec import Blob, Image
from flaskship.image.store import Store
from flaskship.image.wheels import Package
from flaskship.plan import Part, Plan

NANO = 10**9  # Docker counts a health check's times in nanoseconds
BASE_NAME, BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image of one platform, its layers for people to see, and what is in it for the SBOM."""

    image: Image
    base: Base
    layers: tuple[Layer, ...]
    packages: tuple[Package, ...]


def build(plan: Plan, base: Base, lock: Lock, store: Store, progress: Progress) -> Built:
    """The image of `plan` on `base`, with the packages of `lock`. Raises `NoWheel` and `ImageError`."""
    packed = wheels.layers(lock, base.where, store, progress)
    parts = tuple(_part(each, plan, store, progress) for each in plan.parts)
    layers = (*base.layers, *packed.layers, *parts)
    labels = {**plan.labels, CREATED: spec.EPOCH, BASE_NAME: base.name, BASE_DIGEST: base.digest}
    config = spec.canonical(_config(plan, base, layers, labels))
    notes = {name: value for name, value in labels.items() if name.startswith("org.opencontainers.")}
    image = spec.image(store.layout.put(Blob.of(config, spec.CONFIG)), tuple(each.blob for each in layers), notes)
    return Built(image=image, base=base, layers=layers, packages=(*packed.packages, *base.contents.packages))


def _part(part: Part, plan: Plan, store: Store, progress: Progress) -> Layer:
    compiler = interpreter(plan.python) if part.compiled else ""
    own = ("own", plan.user) if part.own else ()
    question = ("part", bool(compiler), plan.python, plan.executable, *own, *_fingerprint(part))
    return layer(store, progress, part.title, question, _content(part, plan, compiler))


def _fingerprint(part: Part) -> list[str]:
    """Names, modes and digests of the files."""
    found = []
    for name, source in sorted(part.files.items()):
        if isinstance(source, Path) and source.is_dir():
            found.append(f"{name} folder")
        elif isinstance(source, bytes):
            found.append(f"{name} {hashlib.sha256(source).hexdigest()}")
        else:
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append(f"{name} {source.stat().st_mode & 0o100} {digest}")
    return found


def _content(part: Part, plan: Plan, compiler: str) -> Callable[[Path], Sequence[tar.Entry]]:
    def entries(draft: Path) -> list[tar.Entry]:
        files = [_entry(each, name[1:]) for name, each in part.files.items()]
        if part.own:
            files = list(_owned(files, int(plan.user.partition(":")[0])))
        if part.compiled:
            files += [
                tar.Entry(name=f"{wheels.PREFIX}/bin/python", link=plan.executable),
                tar.Entry(name=f"{wheels.PREFIX}/bin/python3", link="python"),
                *wheels.compiled(files, plan.python, compiler, draft),
            ]
        return files

    return entries


def _entry(source: Path | bytes, name: str) -> tar.Entry:
    if isinstance(source, bytes):
        return tar.Entry(name=name, source=source)
    return tar.Entry(name=name) if source.is_dir() else tar.entry(source, name)


def _owned(files: Sequence[tar.Entry], user: int) -> Iterator[tar.Entry]:
    """The files, and the folders below the bundle's own that hold them, written to by that user and by group 0."""
    folders = {each for file in files for each in PurePosixPath(file.name).parents if len(each.parts) > 1}
    yield from (tar.Entry(name=str(each), mode=0o775, owner=user) for each in sorted(folders))
    for each in files:
        runs = each.executable or each.source is None
        yield replace(each, mode=0o775 if runs else 0o664, owner=user)


def _config(plan: Plan, base: Base, layers: Sequence[Layer], labels: Mapping[str, str]) -> dict[str, Any]:
    """https://github.com/opencontainers/image-spec/blob/main/config.md, and Docker's `Healthcheck`."""
    inherited = dict(each.partition("=")[::2] for each in base.config.get("Env") or [])
    health = plan.health
    return {
        "created": spec.EPOCH,
        **base.platform.fields,
        "config": {
            "User": plan.user,
            "ExposedPorts": {f"{plan.port}/tcp": {}},
            "Env": [f"{name}={value}" for name, value in {**inherited, **plan.env}.items()],
            "Entrypoint": list(plan.entrypoint),
            "WorkingDir": plan.workdir,
            "Labels": {**(base.config.get("Labels") or {}), **dict(sorted(labels.items()))},
            "StopSignal": plan.stop_signal,
            "Healthcheck": {
                "Test": ["CMD", *health.command],
                "Interval": int(health.interval * NANO),
                "Timeout": int(health.timeout * NANO),
                "StartPeriod": int(health.start_period * NANO),
                "Retries": health.retries,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [{"created": spec.EPOCH, "created_by": "flaskship build", "comment": each.title} for each in layers],
    }
