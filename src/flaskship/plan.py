"""What an image is made of, as a description: both the builder and the Dockerfile are written from it.

Layers go from rarely to often changed: base, heavy wheels, other wheels, Flaskship, weights, code and signature.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from flaskship import __version__
from flaskship.app_bundle import AppBundle, AppManifest, Packed
from flaskship.artifact.isolation.environments import ERAS
from flaskship.bundle import CODE, REPORT, Bundle, Code, Manifest
from flaskship.errors import BaseError
from flaskship.settings import Settings, variable
from flaskship.source import Solved, environments
from flaskship.target import Kind
from flaskship.variables import baked, pairs

PREFIX = "/opt/flaskship"  # a virtual environment
BUNDLE = "/bundle"
USER = 65532  # nobody in particular; any other user works too
PORT = 8000
OLDEST = (3, 11)  # the Python that Flaskship runs on
OLDEST_OF_APPS = (3, 8)  # that what serves somebody's app runs on
PACKAGE = Path(__file__).parent
NUMPY = "numpy>=1.26"
SERVING = (
    "flask>=3.0",
    "granian>=2.8,<2.9",
    "msgspec>=0.19",
    NUMPY,
    "prometheus-client>=0.21",
)
GUNICORN = "gunicorn>=23"
MAKING = (
    "cli",
    "image",
    "compiler",
    "deploy",
    "engine",
    "footprint.py",
    "app.py",
    "make",
    "plan.py",
    "sample.py",
    "proxy.py",
    "foreign",
    "source",
    "app_bundle.py",
    "indexes.py",
    "variables.py",
    "ship.py",
    "stack.py",
    "__main__.py",
)
FOREIGN = (
    "__init__.py",
    "errors.py",
    "exchange.py",
    "foreign",
    "health.py",
    "metrics.py",
    "serve",
    "settings.py",
)  # what serves an app: with the standard library, and a server that its Python has
SECRETS, TARGET, PAGE_PORT = (f"io.flaskship.{each}" for each in ("secrets", "target", "page-port"))  # labels
WEIGHTS = (
    *(".joblib", ".pkl", ".pickle", ".sav", ".model", ".onnx", ".pt", ".pth", ".pt2", ".h5", ".hdf5", ".keras", ".pb"),
    *(
        ".tflite",
        ".safetensors",
        ".bin",
        ".npy",
        ".npz",
        ".cbm",
        ".ubj",
        ".caffemodel",
        ".weights",
        ".gguf",
        ".mlmodel",
    ),
)
TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model", "tokenizer.model")  # of text
BAKED = (
    "workers",
    "threads",
    "server",
    "max_body",
    "timeout",
    "grace",
    "drain",
    "keep_alive",
    "max_batch",
    "max_queue",
    "max_streams",
    "access_log",
    "log_level",
)
UNWANTED = ("torch/test", "torch/bin/test_*")  # in site-packages: a fifth of what torch's build for CPUs takes
TEMPORARY = {"TMPDIR": "/tmp", "TEMP": "/dev/shm"}  # for Python: the second where a root without a tmpfs is read-only
GPU = {  # to NVIDIA's container runtime: which devices, and what of the driver
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    variable("workers"): "1",  # each would have the weights in the GPU's memory
}
LIGHT = 10**6  # bytes: weights under that travel together with their description, as one layer
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Files = Mapping[str, Path | bytes]  # absolute name in the image -> what is there: a file, or an empty folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer of files."""

    title: str
    files: Files
    compiled: bool = False  # with byte code
    own: bool = False  # written to where it runs: of the user who runs it, and of the group that any other user is in


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    command: tuple[str, ...]
    interval: float = 5.0  # seconds
    timeout: float = 3.0
    start_period: float = 60.0
    retries: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    python: str  # "3.11"
    executable: str  # the base's Python: "/usr/local/bin/python3.11"
    requirements: tuple[str, ...]
    parts: tuple[Part, ...]  # after the wheels
    env: Mapping[str, str]
    labels: Mapping[str, str]
    entrypoint: tuple[str, ...]
    health: Health
    user: str = f"{USER}:{USER}"
    workdir: str = BUNDLE
    port: int = PORT
    stop_signal: str = "SIGTERM"
    app: AppManifest | None = None  # whose requirements are all: what they ask for in turn is there, or left out

    @classmethod
    def of(
        cls, bundle: Packed, settings: Settings, *, python: str, executable: str, assets: Mapping[str, Path]
    ) -> Plan:
        """The image of `bundle` on a base with this Python; `assets` are files of other packages, by name in there.

        Raises `UsageError` for an env or label without a value, `BaseError` where an isolated model has another Python.
        """
        app = bundle.manifest if isinstance(bundle, AppBundle) else None
        if isinstance(bundle, Bundle) and bundle.manifest.isolated:
            _check(bundle.manifest.requirements, python)
        package = f"{site(python)}/flaskship"
        whole = app.wanted.flaskship if app else False
        files = dict(_shim(python, executable, assets if whole or not app else {}, bundle, whole=whole))
        variables = env(bundle, settings)
        return cls(
            python=python,
            executable=executable,
            requirements=requirements(bundle, settings),
            app=app,
            parts=(Part(title=f"flaskship {__version__}", files=files, compiled=True), *_bundle(bundle)),
            env=variables,
            labels=_labels(bundle, settings) | pairs(settings.label, "--label"),
            entrypoint=(f"{PREFIX}/bin/python", *(["-I"] if app else []), "-m", "flaskship.serve", BUNDLE),
            health=Health(command=(f"{PREFIX}/bin/python", "-IS", f"{package}/health.py")),
            workdir=posixpath.normpath(f"{BUNDLE}/{CODE}/{app.entry.root}") if app else BUNDLE,
            port=Settings.load(None, variables, {}).port,
        )


def site(python: str) -> str:
    return f"{PREFIX}/lib/python{python}/site-packages"


def requirements(bundle: Packed, settings: Settings) -> tuple[str, ...]:
    """What pip would be asked for: what it needs at its versions, what serving needs, what the user adds.

    Of an app that is all of it, down to what its packages ask for: the server's own are left out, and may disagree.
    """
    if isinstance(bundle, AppBundle):
        solved = Solved(python=bundle.manifest.python, pins=bundle.manifest.requirements)
        return tuple(sorted([*solved.pins, *environments.server(solved)]))
    wanted = [*SERVING, *([GUNICORN] if settings.server == "gunicorn" else [])]
    pinned = [*bundle.manifest.requirements, *settings.requirement]
    names = {_name(each) for each in pinned}
    return tuple(sorted([each for each in wanted if _name(each) not in names] + list(dict.fromkeys(pinned))))


def _check(pins: Sequence[str], python: str) -> None:
    """An isolated model's image is its environment: the base's Python must be one that its scikit-learn is for."""
    version = next((each.partition("==")[2] for each in pins if each.startswith("scikit-learn==")), "")
    minor = re.match(r"(\d+)\.(\d+)", version)
    era = ERAS.get((int(minor[1]), int(minor[2]))) if minor else None
    if era is None or python in era.pythons:
        return
    able = [each for each in era.pythons if tuple(map(int, each.split("."))) >= OLDEST]
    said = f"The model needs scikit-learn {version}, which has no wheels for the base's Python {python}"
    if able:
        raise BaseError(f"{said}. Take a base with Python {' or '.join(able)}: --base python:{able[0]}-slim")
    raise BaseError(
        f"{said}, only for {' or '.join(era.pythons)}; Flaskship in an image needs Python 3.11 or later."
        " Serve it without an image (flaskship serve --isolated), or save it anew with scikit-learn 1.2 or later."
    )


def _name(requirement: str) -> str:
    found = re.match(r"\s*[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0].strip()).lower() if found else requirement


def written(value: object) -> str:
    """A setting's value as the environment has it: 30, not 30.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shim(
    python: str, executable: str, assets: Mapping[str, Path], bundle: Packed, *, whole: bool
) -> Iterator[tuple[str, Path | bytes]]:
    """The environment's own files, and those of the Flaskship that is running here, as far as they serve.

    The `whole` of it is for an app that imports it.
    """
    home = executable.rpartition("/")[0]
    text = f"home = {home}\ninclude-system-site-packages = false\nversion = {python}\n"
    yield f"{PREFIX}/pyvenv.cfg", text.encode()
    for path in sorted(PACKAGE.rglob("*")):
        inside = path.relative_to(PACKAGE)
        top = inside.parts[0]
        wanted = whole or (top in FOREIGN if isinstance(bundle, AppBundle) else top not in MAKING)
        if path.is_file() and wanted and "__pycache__" not in inside.parts:
            yield f"{site(python)}/flaskship/{inside.as_posix()}", path
    for name, source in assets.items():
        yield f"{site(python)}/{name.partition('/')[0]}/__init__.py", b""
        yield f"{site(python)}/{name}", source
    about = f"Metadata-Version: 2.1\nName: flaskship\nVersion: {__version__}\nLicense-Expression: Apache-2.0\n"
    yield f"{site(python)}/flaskship-{__version__}.dist-info/METADATA", about.encode()


def _bundle(bundle: Packed) -> Iterator[Part]:
    """Weights, and what is said about them; of code, large files, and the rest. An app's are its own, to write to."""
    files = [each for each in sorted(bundle.path.rglob("*")) if each.is_file() and each != bundle.path / REPORT]
    names = {f"{BUNDLE}/{each.relative_to(bundle.path).as_posix()}": each for each in files}
    if isinstance(bundle, AppBundle):
        empty = {f"{BUNDLE}/{CODE}/{each}": bundle.path / CODE / each for each in bundle.manifest.folders}
        yield from _code(names | empty, own=True)
        return
    if bundle.manifest.code:
        yield from _code(names, own=False)
        return
    weights = bundle.path / bundle.manifest.model
    heavy = {name: each for name, each in names.items() if each == weights or weights in each.parents}
    if sum(each.stat().st_size for each in heavy.values()) < LIGHT:
        yield Part(title="model", files=names)
        return
    yield Part(title="weights", files=heavy)
    yield Part(title="signature", files={name: each for name, each in names.items() if name not in heavy})


def _code(names: Mapping[str, Path], *, own: bool) -> Iterator[Part]:
    within = {name: each for name, each in names.items() if name.startswith(f"{BUNDLE}/{CODE}/")}
    heavy = {name for name, each in within.items() if each.is_file() and is_heavy(name, each.stat().st_size)}
    if heavy:
        yield Part(title="weights", files={name: names[name] for name in sorted(heavy)}, own=own)
    yield Part(title="code", files={name: each for name, each in within.items() if name not in heavy}, own=own)
    yield Part(title="manifest", files={name: each for name, each in names.items() if name not in within})


def is_heavy(name: str, size: int) -> bool:
    """Whether a file beside code goes into the layer before it, so that other code need not send it again."""
    path = PurePosixPath(name)
    return path.name not in TOKENIZERS and (size >= LIGHT or path.suffix in WEIGHTS)


def env(bundle: Packed, settings: Settings) -> dict[str, str]:
    """What is set in the container, beside what the base sets. Raises `UsageError` as `variables.baked`."""
    found = {
        "FLASKSHIP_HOST": "0.0.0.0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **TEMPORARY,
    }
    if not isinstance(bundle, Bundle) or bundle.manifest.code:
        found["HOME"] = "/tmp"  # where libraries keep what they fetch: this user has no home
    if isinstance(bundle, AppBundle):
        found |= bundle.manifest.env
    found["PATH"] = f"{PREFIX}/bin:{PATH}"
    if isinstance(bundle, Bundle) and _kind(bundle.manifest.code) is Kind.CHECKPOINT:
        found["HF_HUB_OFFLINE"] = "1"  # its loader says so too: for all else that runs there
    if settings.gpu:
        found |= GPU
    for row in dataclasses.fields(settings):
        value = getattr(settings, row.name)
        if row.name in BAKED and value != row.default:
            found[variable(row.name)] = written(value)
    if isinstance(bundle, Bundle) and bundle.manifest.trusted:
        found[variable("trust")] = "true"
    return found | baked(settings)


def _labels(bundle: Packed, settings: Settings) -> dict[str, str]:
    """What `inspect` and `docker inspect` show without opening a layer."""
    manifest = bundle.manifest
    secrets = sorted({*settings.secret, *(manifest.secrets if isinstance(manifest, AppManifest) else ())})
    labels = {
        "org.opencontainers.image.title": manifest.name,
        "org.opencontainers.image.version": manifest.version,
        "io.flaskship.version": __version__,
        "io.flaskship.name": manifest.name,
        "io.flaskship.model": bundle.digest,
        "io.flaskship.model.file": manifest.source.file,
        "io.flaskship.model.sha256": manifest.source.sha256,
        SECRETS: " ".join(secrets),
        **(_of_app(manifest) if isinstance(manifest, AppManifest) else _of_model(manifest)),
    }
    return {name: value for name, value in labels.items() if value}


def _kind(code: Code | None) -> Kind:
    if code is None:
        return Kind.MODEL
    return Kind.FUNCTION if code.file.endswith(".py") else Kind.CHECKPOINT


def _of_model(manifest: Manifest) -> dict[str, str]:
    facts, code = manifest.facts, manifest.code
    endpoints = msgspec.json.encode(code.endpoints).decode() if code else ""
    kind = ", ".join(each.name for each in code.endpoints) if code else facts.kind
    return {
        "org.opencontainers.image.description": f"{kind} ({manifest.signature.task.value}) as a web API",
        TARGET: _kind(code),
        "io.flaskship.framework": f"{facts.framework} {facts.version}".strip(),
        "io.flaskship.kind": kind,
        "io.flaskship.compiled": str(manifest.compilation.compiled).lower(),
        "io.flaskship.schema": "" if code else msgspec.json.encode(manifest.signature).decode(),
        "io.flaskship.endpoints": endpoints,
    }


def _of_app(manifest: AppManifest) -> dict[str, str]:
    entry = manifest.entry
    return {
        "org.opencontainers.image.description": f"{entry.framework or entry.interface.value} app {manifest.name}",
        TARGET: Kind.APP,
        "io.flaskship.framework": entry.framework,
        "io.flaskship.kind": Kind.APP,
        "io.flaskship.entry": f"{entry.file}:{entry.object}" if entry.object else entry.file,
        "io.flaskship.python": manifest.python,
        PAGE_PORT: str(entry.port or ""),
    }
