"""From a bundle to an image: one line a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flaskship import vendored
from flaskship.app_bundle import AppBundle, Packed
from flaskship.errors import BaseError, VersionMismatch
from flaskship.image import lock as locks
from flaskship.image import sbom, spec
from flaskship.image.base import AUTO, Base, Finder
from flaskship.image.build import Built, build
from flaskship.image.layer import Progress
from flaskship.image.lock import Lock
from flaskship.image.ref import Ref
from flaskship.image.registry import Registry
from flaskship.image.spec import Image, Platform
from flaskship.image.store import Store
from flaskship.plan import OLDEST, OLDEST_OF_APPS, Plan
from flaskship.settings import Settings, cache_folder
from flaskship.source import environments


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    image: Image  # of one platform, or an index; SBOMs attached
    built: tuple[Built, ...]  # one a platform
    sboms: tuple[bytes, ...]  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipyard:
    """Where images are built: the store, the settings, and who is told."""

    settings: Settings
    store: Store
    progress: Progress
    say: Callable[[str], None]

    def build(self, bundle: Packed, ref: Ref, lock: Path | None, *, upgrade: bool = False) -> Shipped:
        """The image of `bundle`, kept in the store as `ref`. `lock` is the lock's file, honoured and written.

        Raises `BaseError`, `NoWheel`, `RegistryError`, `ImageError` or `UsageError`.
        """
        wanted = platforms(self.settings)
        built = [self._one(bundle, each, lock, upgrade and each == wanted[0]) for each in wanted]
        sboms = [sbom.write(each.packages, str(ref), each.image.digest) for each in built]
        images = [_with_sbom(each.image, text) for each, text in zip(built, sboms, strict=True)]
        image = images[0]
        if len(images) > 1:
            image = spec.index({each.base.platform: one for each, one in zip(built, images, strict=True)}, {})
        self.store.save(image, ref)
        return Shipped(image=image, built=tuple(built), sboms=tuple(sboms))

    def plan(
        self, bundle: Packed, platform: Platform, lock: Path | None, *, upgrade: bool = False
    ) -> tuple[Plan, Base, Lock]:
        """What the image of `bundle` is made of on `platform`, and with what."""
        base = self.base(bundle, platform, lock, upgrade=upgrade)
        found = base.contents
        if isinstance(bundle, AppBundle):
            bundle = fitting(bundle, base.name, found.python, self.say)
        plan = Plan.of(
            bundle, self.settings, python=found.python, executable=found.executable, assets=pages()
        )  # fmt: skip
        return plan, base, self._lock(plan, base, lock, upgrade)

    def base(self, bundle: Packed, platform: Platform, lock: Path | None, *, upgrade: bool = False) -> Base:
        """The base that the settings name; where they leave it open, the one that the lock holds."""
        finder = Finder(
            store=self.store, platform=platform, progress=self.progress, say=self.say,
            insecure=self.settings.insecure, system=self.settings.system, saved=_saved,
        )  # fmt: skip
        if isinstance(bundle, AppBundle):
            oldest = OLDEST if bundle.manifest.wanted.flaskship else OLDEST_OF_APPS
            finder = replace(finder, python=bundle.manifest.python, oldest=oldest)
        pinned = locks.base_of(lock) if lock and self.settings.base == AUTO and not upgrade else ""
        found = finder.find(pinned or self.settings.base)
        self.say(f"Base: {found.name}, Python {found.contents.python}")
        return found

    def _one(self, bundle: Packed, platform: Platform, lock: Path | None, upgrade: bool) -> Built:
        plan, base, locked = self.plan(bundle, platform, lock, upgrade=upgrade)
        if self.settings.gpu and not locks.GPU.search(locked.text):
            self.say(
                "--gpu changes nothing here: no package of it computes on a GPU. torch does; ONNX Runtime's is for CPUs"
            )
        return build(plan, base, locked, self.store, self.progress)

    def _lock(self, plan: Plan, base: Base, path: Path | None, upgrade: bool) -> Lock:
        gpu, whole = self.settings.gpu, plan.app is not None
        known = locks.read(path, plan.requirements, plan.python, gpu=gpu) if path and not upgrade else None
        if known and base.where.tag in known.tags:
            return known
        self.say(f"Locking the packages for {base.platform}")
        if known:
            made = locks.extend(known, base.where, whole=whole)
        else:
            made = locks.resolve(plan.requirements, base.where, gpu=gpu, base=base.pin, whole=whole)
        if path:
            locks.write(path, made, plan.requirements, plan.python, plan.app)
        return made


def fitting(bundle: AppBundle, base: str, python: str, say: Callable[[str], None]) -> AppBundle:
    """The app with pins for the `python` of the base of that name.

    Raises `BaseError` where its packages cannot be had for that, naming the base to take.
    """
    manifest = bundle.manifest
    if python == manifest.python:
        return bundle
    say(f"Looking for what the app needs on Python {python}")
    try:
        found = environments.solve(manifest.wanted, pythons=(python,))
    except VersionMismatch as error:
        raise BaseError(
            f"The app needs Python {manifest.python}: on {python}, which the base {base!r} holds, its packages cannot"
            f" be had. Take another base: --base python:{manifest.python}-slim. ({error.detail})"
        ) from error
    fits = replace(manifest, python=found.python, requirements=found.pins, solved=found.decisions)
    return replace(bundle, manifest=fits)


def _with_sbom(image: Image, text: bytes) -> Image:
    return replace(image, attached=(spec.attachment(image, text, sbom.MEDIA_TYPE),))


def platforms(settings: Settings) -> Sequence[Platform]:
    """What to build for: this machine's platform where the settings name none."""
    named = [each for each in settings.platform.split(",") if each.strip()]
    return list(dict.fromkeys(Platform.parse(each) for each in named)) or [Platform.here()]


def pages() -> dict[str, Path]:
    """The files of Bootstrap and Swagger UI that pages load, by their names in site-packages."""
    return {
        f"{owner}/{folder}/{name}": vendored.place(owner, folder) / name
        for name, (owner, folder) in vendored.FOREIGN.items()
    }


def _saved(name: str, folder: Path) -> Path:
    from flaskship import engine  # brings Docker's SDK: only who names the engine pays for it

    return engine.saved(name, folder)


def find(ref: Ref, *, insecure: bool = False) -> Image:
    """The image that was built or pulled here, else the one in the registry: manifests and config, no layer."""
    found = store().find(ref)
    return found or Registry.of(ref, insecure=insecure).find(ref)


def store() -> Store:
    """The user's own."""
    return Store(cache_folder() / "image")
