"""Which module may import which: arrows point down, and each library is named only where it belongs.

Read from the source (`ast`), so that an import inside a function counts too. What stands under `if TYPE_CHECKING:` is
never run and does not count.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "flaskship"

# From the floor up. A part imports parts of lower levels and itself, nothing beside or above it.
LEVELS = [
    {"errors", "exchange", "health", "metrics"},
    {"schema", "settings", "vendored"},
    {"indexes"},
    {"target", "results", "endpoints", "variables"},
    {"skew", "cache"},
    {"artifact"},
    {"bundle"},
    {"source"},
    {"app_bundle"},
    {"predict", "compiler", "plan"},
    {"sample", "image"},
    {"make", "web", "engine", "deploy"},
    {"app", "serve", "ship", "stack", "proxy", "footprint"},
    {"foreign"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}

SKLEARN = "artifact/sklearn/"

# Library -> the only modules that may name it, as path prefixes inside the package.
HOMES: dict[str, tuple[str, ...]] = {
    "flask": ("web/",),
    "werkzeug": ("web/",),
    "jinja2": ("web/", "artifact/huggingface/"),
    "prometheus_client": ("web/",),
    "click": ("cli/",),
    "rich": ("cli/",),
    "granian": ("serve/granian.py", "serve/asgi.py"),
    "gunicorn": ("serve/gunicorn.py",),
    "onnxruntime": ("artifact/onnx/",),
    "onnx": ("compiler/",),
    "skl2onnx": ("compiler/",),
    "pyarrow": ("predict/parquet.py",),
    "python_calamine": ("predict/excel.py",),
    "sklearn": (SKLEARN, "compiler/"),
    "joblib": (SKLEARN,),
    "skops": (SKLEARN,),
    "pandas": (SKLEARN, "predict/frames.py"),
    "PIL": ("predict/images.py", "results.py", "web/layers.py", "artifact/huggingface/"),
    "transformers": ("artifact/huggingface/",),
    "scipy": (SKLEARN, "compiler/"),
    "xgboost": ("artifact/booster.py", "compiler/"),
    "lightgbm": ("artifact/booster.py", "compiler/"),
    "catboost": ("artifact/booster.py", "compiler/"),
    "torch": ("artifact/torch/", "artifact/huggingface/", "artifact/keras/", "compiler/net.py"),
    "keras": ("artifact/keras/",),
    "h5py": ("artifact/keras/archive.py",),
    "onnxscript": ("compiler/net.py",),
}
FRAMEWORKS = (
    "torch",
    "keras",
    "transformers",
    "sklearn",
    "pandas",
    "scipy",
    "joblib",
    "skops",
    "xgboost",
    "lightgbm",
    "catboost",
    "onnx",
    "skl2onnx",
)

# Imports inside a function, each with its reason. Everything else stands at a module's top.
LAZY = {
    ("app.py", "flaskship.make"): "brings the frameworks: a bundle is served without them",
    ("artifact/isolation/environments.py", "flaskship.indexes"): "an image has none, and asks none",
    ("artifact/isolation/environments.py", "uv"): "an image has none, and needs none: the versions are there",
    ("artifact/sklearn/loader.py", "skops.io"): "the image of a pickle has no skops",
    ("cli/build.py", "flaskship.engine"): "brings Docker's SDK: only --load pays for it",
    ("cli/inspect.py", "flaskship.ship"): "brings what reads images: only who names one pays for it",
    ("cli/targets.py", "flaskship.bundle"): "brings NumPy, of which the process that keeps the workers has no need",
    ("cli/targets.py", "flaskship.make.kind"): "likewise",
    ("cli/targets.py", "flaskship.make"): "brings the frameworks: only the verbs that make a bundle pay for it",
    ("settings.py", "tomllib"): "Python 3.8 to 3.10, where somebody's app is served, have none and read no file",
    ("results.py", "PIL"): "heavy, and not everywhere: only who draws pays for it",
    ("ship.py", "flaskship.engine"): "brings Docker's SDK: only a base of the engine pays for it",
}


@dataclass(frozen=True, slots=True)
class Import:
    """`name` as imported by the file at `path`, which is relative to the package."""

    path: str
    name: str
    local: bool  # inside a function

    @property
    def part(self) -> str:
        """The part of the package that imports: `web` for web/files.py, `bundle` for bundle.py."""
        return self.path.partition("/")[0].removesuffix(".py")


class Reader(ast.NodeVisitor):
    """The imports of one file; those by `importlib.import_module("…")` count like any other."""

    def __init__(self, path: str) -> None:
        self.path, self.depth = path, 0
        self.found: list[Import] = []

    def note(self, name: str, local: bool) -> None:
        self.found.append(Import(self.path, name, local))

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.depth += 1
        self.generic_visit(node)
        self.depth -= 1

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self.note(each.name, self.depth > 0)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, f"{self.path} imports relatively"
        for each in node.names:
            inside = node.module == "flaskship" and each.name != "__version__"
            self.note(f"flaskship.{each.name}" if inside else str(node.module), self.depth > 0)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0] if node.args else None
        if called in ("import_module", "find_spec") and isinstance(first, ast.Constant):
            self.note(first.value, False)
        self.generic_visit(node)


def imports() -> Iterator[Import]:
    for file in sorted(set(PACKAGE.rglob("*.py")) - set(PACKAGE.glob("cli/templates/**/*.py"))):
        reader = Reader(file.relative_to(PACKAGE).as_posix())
        reader.visit(ast.parse(file.read_text(encoding="utf-8")))
        yield from reader.found


SHIM = "artifact/shim/"  # runs in an isolated model's own environment too, with whatever libraries are there
IMPORTS = list(imports())
FOREIGN = [
    each
    for each in IMPORTS
    if not each.path.startswith(SHIM)
    and (top := each.name.partition(".")[0]) != "flaskship"
    and top not in sys.stdlib_module_names
]


def test_every_part_of_the_package_has_a_level() -> None:
    parts = {each.name.removesuffix(".py") for each in PACKAGE.iterdir() if each.suffix == ".py" or each.is_dir()}
    assert parts - {"__init__", "__pycache__"} <= set(LEVEL)


def test_imports_point_down() -> None:
    wrong = []
    for each in IMPORTS:
        imported = each.name.removeprefix("flaskship.").partition(".")[0]
        if not each.name.startswith("flaskship.") or each.part in ("__init__", imported):
            continue
        if LEVEL[imported] >= LEVEL[each.part]:
            wrong.append(f"{each.path} imports {each.name}")
    assert not wrong


def test_a_library_is_named_only_where_it_belongs() -> None:
    wrong = []
    for each in FOREIGN:
        homes = HOMES.get(each.name.partition(".")[0])
        if homes and not each.path.startswith(homes):
            wrong.append(f"{each.path} imports {each.name}, which belongs to {' or '.join(homes)}")
    assert not wrong


def test_imports_stand_at_the_top_but_for_the_lazy_seams() -> None:
    found = {(each.path, each.name) for each in IMPORTS if each.local and not each.path.startswith(SHIM)}
    assert sorted(found - set(LAZY)) == []
    assert sorted(set(LAZY) - found) == [], "these are lazy no more: take them off the list"


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *(line for name in extras if name not in OURS for line in extras[name])]
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in lines}
    of_module = importlib.metadata.packages_distributions()
    for each in FOREIGN:
        module = each.name.partition(".")[0]
        owners = {owner.lower().replace("_", "-") for owner in of_module.get(module, [module])}
        owners |= {owner.removesuffix("-cpu") for owner in owners}
        owners |= KNOWN_THROUGH.get(module, set())
        assert owners & declared, f"{each.path} imports {each.name}, which pyproject.toml does not ask for"


OURS = ("dev", "tests", "bench")  # extras of who works on Flaskship
# Module -> the declared distribution that always brings it.
KNOWN_THROUGH = {
    "joblib": {"scikit-learn"},
    "scipy": {"scikit-learn"},
    "jinja2": {"flask"},
    "werkzeug": {"flask"},
}


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after `statement`."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("statement", ["import flaskship.web", "import flaskship.serve"])
def test_serving_loads_neither_the_make_half_nor_a_framework(statement: str) -> None:
    loaded = loaded_by(statement)
    ours = ("cli", "make", "compiler", "sample", "app", "image", "plan")
    assert not loaded & {f"flaskship.{name}" for name in ours}
    assert not loaded & {*FRAMEWORKS, "rich"}  # click is loaded, by Flask


def test_importing_flaskship_loads_next_to_nothing() -> None:
    ours = {each for each in loaded_by("import flaskship") if each.startswith("flaskship")}
    assert ours == {"flaskship"}
    tops = {each.partition(".")[0] for each in loaded_by("import flaskship") - loaded_by("")}
    assert tops - {"flaskship"} <= set(sys.stdlib_module_names)


def test_the_command_line_shows_its_help_without_a_framework() -> None:
    loaded = loaded_by("from flaskship.cli import invoke\ninvoke(['--help'])")
    assert not loaded & {*FRAMEWORKS, "numpy", "flask", "onnxruntime"}
