"""The paths that code names: what it opens, what it writes, what it only asks for; and which of them a folder lacks."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from flaskship.source.code import Code, Module
from flaskship.source.tree import Tree
from flaskship.source.values import FOLDER, JOIN, Values, parent


class Use(Enum):
    READ = auto()
    TEMPLATE = auto()
    FOLDER = auto()  # is listed
    WRITTEN = auto()
    INTO = auto()  # a folder into which it writes
    ASKED = auto()  # whether it is there
    NAMED = auto()  # in an assignment, no more


@dataclass(frozen=True, slots=True)
class Named:
    path: str  # as the code has it; with `FOLDER` before it where it hangs on the file's own place
    use: Use
    file: str
    line: int

    @property
    def at(self) -> str:
        return f"({self.file}, line {self.line})"

    @property
    def said(self) -> str:
        return self.path.removeprefix(f"{FOLDER}/")

    def inside(self, root: str) -> str:
        """Where in the folder that is, with `root` as working directory; "" where it is outside of it."""
        path = posixpath.normpath(posixpath.join(FOLDER, root, self.path))
        inside = path.startswith(FOLDER) and not OTHER.match(self.path)
        return posixpath.relpath(path, FOLDER) if inside else ""


READERS = {
    *("read_csv", "read_excel", "read_json", "read_parquet", "read_pickle", "read_table", "read_feather", "read_hdf"),
    *("load", "loadtxt", "genfromtxt", "load_model", "load_weights", "imread", "CascadeClassifier", "InferenceSession"),
    *("load_learner", "shape_predictor", "readNet", "readNetFromCaffe", "readNetFromTensorflow", "readNetFromDarknet"),
    *("readNetFromONNX", "load_npz", "ZipFile", "load_facebook_model", "load_word2vec_format", "truetype", "scan_csv"),
    *("load_from_checkpoint", "Interpreter", "Booster", "YOLO", "from_pretrained", "loadmat", "send_file", "imread"),
}
# These are given the names of things elsewhere too: only what looks like a file counts.
LOOSE = {"load", "load_model", "YOLO", "from_pretrained", "Booster"}
ELSEWHERE = {
    "torch.hub.load",
    "gensim.downloader.load",
    "tensorflow_hub.load",
    "hub.load",
    "spacy.load",
    "nltk.data.load",
}
OPENERS = {
    "open",
    "io.open",
    "codecs.open",
    "gzip.open",
    "bz2.open",
    "lzma.open",
    "h5py.File",
    "tarfile.open",
    "aiofiles.open",
}
IMAGE = {"PIL.Image.open", "Image.open", "cv2.imread", "fitz.open", "rasterio.open", "wave.open"}
KEYWORDS = {
    *("file", "filename", "path", "filepath", "model_path", "model_file", "fname", "f", "path_or_buf", "path_or_fn"),
    *("filepath_or_buffer", "path_or_bytes", "directory", "io", "name", "path_or_file", "filename_or_obj"),
}
WRITERS = {
    *("save", "to_csv", "to_excel", "to_json", "to_pickle", "to_parquet", "makedirs", "mkdir", "imwrite", "savefig"),
    *("save_model", "save_weights", "savez", "savetxt", "write_image", "write_html", "urlretrieve", "connect"),
    *("download",),
    *("FileHandler", "RotatingFileHandler", "basicConfig", "VideoWriter", "gdown", "mkstemp", "cached_download"),
    *("touch",),
}
ASKS = {"exists", "isfile", "isdir", "is_file", "is_dir", "lexists", "access", "remove", "unlink", "rmtree", "stat"}
LISTS = {"listdir", "scandir", "iterdir", "walk"}
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
WEIGHTS = re.compile(
    r"(?i)\.(pkl|pickle|sav|joblib|h5|hdf5|keras|pt|pth|ckpt|pb|tflite|onnx|model|bin|npy|npz|weights|safetensors|cbm|ubj"
    r"|dill|skops)$"
)
NOT_A_PATH = re.compile(r"://|[\n\r<>*?{}%|]|^\s*$|^~|^(https?|s3|gs|data|mysql|postgres\w*|sqlite):")
OTHER = re.compile(r"^(/(?!\0)|[A-Za-z]:[\\/])")  # of a machine, not of the folder
ELSEWHERE_TEMPLATES = re.compile(r"template_folder|jinja_loader|FileSystemLoader")
SYSTEM = ("/tmp", "/dev", "/proc", "/var", "/etc", "/usr", "/run", "/sys", "/bin")


def paths(code: Code, modules: Iterable[Module], cwd: str) -> list[Named]:
    """Of these modules, with `cwd` as working directory, in the order of the text."""
    found: list[Named] = []
    modules = list(modules)
    used = set[str]().union(*map(names, modules))
    for module in modules:
        values = Values(code, module, cwd)
        for call in module.calls:
            found += of_call(call, module, values)
        for name, node in values.assigned.items():
            text = values.text(node) if is_literal(node, module) else ""
            if WEIGHTS.search(text) and re.search(r"[\\/]", text) and name.rpartition(".")[2] in used:
                found.append(Named(text, Use.NAMED, module.path, node.lineno))
    return [each for each in dict.fromkeys(found) if not NOT_A_PATH.search(each.path.removeprefix(FOLDER))]


def names(module: Module) -> Iterator[str]:
    """Those that it makes use of."""
    for node in module.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (each.name for each in node.names)


def is_literal(node: ast.expr, module: Module) -> bool:
    """Whether it is a path by itself: a text with a separator, `Path(…) / …`, `os.path.join(…)`."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(re.search(r"[\\/.]", node.value))
    if isinstance(node, ast.Call):
        return module.dotted(node.func) in JOIN
    return isinstance(node, ast.BinOp)


def of_call(call: ast.Call, module: Module, values: Values) -> Iterator[Named]:
    name = module.dotted(call.func)
    last = name.rpartition(".")[2]
    inner = call.func.value if isinstance(call.func, ast.Attribute) else None
    first = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg in KEYWORDS), None)

    def named(node: ast.expr | None, use: Use) -> Iterator[Named]:
        if text := values.text(node):
            yield Named(text, use, module.path, call.lineno)
        elif use is Use.WRITTEN and (above := folder_of(node, values, module)):
            yield Named(above, Use.INTO, module.path, call.lineno)

    if name in OPENERS or (last == "open" and inner is not None and name not in IMAGE):
        node = first if name in OPENERS else inner
        yield from named(node, Use.WRITTEN if writes(call, values, name in OPENERS) else Use.READ)
    elif last in ("read_text", "read_bytes"):
        yield from named(inner, Use.READ)
    elif last in ("write_text", "write_bytes") or (last in ("mkdir", "touch") and not call.args):
        yield from named(inner, Use.WRITTEN)
    elif last == "render_template":
        yield from named(first, Use.TEMPLATE)
    elif last == "send_from_directory":
        for text in [values.text(each) for each in call.args[:1]]:
            yield from [Named(beside(text, module), Use.FOLDER, module.path, call.lineno)] if text else []
    elif last in ASKS:
        yield from named(first or inner, Use.ASKED)
    elif last in LISTS:
        yield from named(first or inner, Use.FOLDER)
    elif last in ("dump", "copy", "copyfile", "move", "copy2") and len(call.args) > 1:
        yield from named(call.args[1], Use.WRITTEN)
    elif last in WRITERS:
        yield from named(first, Use.WRITTEN)
    elif (last in READERS or name in IMAGE) and name not in ELSEWHERE:
        for each in named(first, Use.READ):
            if last not in LOOSE or (SUFFIX.search(each.path) and not re.match(r"yolo\w*\.pt$", each.path)):
                yield Named(beside(each.path, module), *each_of(each)) if last == "send_file" else each


def each_of(named: Named) -> tuple[Use, str, int]:
    return named.use, named.file, named.line


def beside(path: str, module: Module) -> str:
    """Flask takes such a path from its own root, the module's folder."""
    return path if OTHER.match(path) else posixpath.join(FOLDER, posixpath.dirname(module.path), path)


def folder_of(node: ast.expr | None, values: Values, module: Module) -> str:
    """What is known of a path's beginning: `os.path.join("uploads", name)` -> "uploads"."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return values.text(node.left)
    if isinstance(node, ast.Call) and module.dotted(node.func) in JOIN:
        parts = [values.text(each) for each in node.args]
        known = parts[: parts.index("")] if "" in parts else parts
        return posixpath.join(*known) if known else ""
    if isinstance(node, ast.BinOp | ast.JoinedStr):
        start = node.left if isinstance(node, ast.BinOp) else next(iter(node.values), None)
        text = values.text(start)
        return posixpath.dirname(text) if "/" in text else ""
    return ""


def writes(call: ast.Call, values: Values, named_first: bool) -> bool:
    """Whether the mode of an `open` says so."""
    given = [each.value for each in call.keywords if each.arg == "mode"] or call.args[int(named_first) :][:1]
    return any(letter in values.text(given[0]) for letter in "wax") if given else False


class Lookup:
    """Paths in a folder: what is there, what is there under another name."""

    def __init__(self, tree: Tree, root: str) -> None:
        self.tree, self.root = tree, root

    def there(self, path: str) -> bool:
        return path in self.tree.files or path in self.tree.folders

    def near(self, path: str) -> str:
        """The same but for case and separators; "" where nothing is."""
        return self.tree.folded.get(posixpath.normpath(path.replace("\\", "/")).lower(), "")

    def remark(self, named: Named) -> str:
        """Why it is not found, where that can be told."""
        path = named.inside(self.root)
        if OTHER.match(named.path):
            return "a path of another machine"
        if path.startswith("..") or not path:
            return "a path outside of the folder"
        near = self.near(path)
        if "\\" in named.path:
            return f"Windows' separators; Linux needs {near or named.said.replace(chr(92), '/')!r}"
        if near:
            return f"{near!r} is there: Linux tells upper and lower case apart"
        elsewhere = [each for each in self.tree.files if posixpath.basename(each) == posixpath.basename(path)]
        return f"{elsewhere[0]!r} is there" if len(elsewhere) == 1 else ""


def missing(found: list[Named], tree: Tree, root: str) -> list[str]:
    """What the code reads and the folder lacks, a line each: "model.pkl (app.py, line 12)", with why where known."""
    lookup = Lookup(tree, root)
    made = {each.inside(root) for each in found if each.use in (Use.WRITTEN, Use.ASKED, Use.INTO)}
    templates = [folder for folder in tree.folders if posixpath.basename(folder) == "templates"]
    lines: dict[str, str] = {}
    for each in found:
        if each.use is Use.TEMPLATE:
            lacks = not templated(each.path, lookup, templates)
        elif each.use in (Use.READ, Use.FOLDER, Use.NAMED):
            lacks = is_missing(each, lookup, made)
        else:
            continue
        if lacks and each.said not in lines:
            other = each.use is Use.TEMPLATE and lookup.near(each.path)
            remark = f"{other!r} is there; Flask looks in 'templates'" if other else ""
            remark = remark if each.use is Use.TEMPLATE else lookup.remark(each)
            lines[each.said] = f"{each.said} ({each.file}, line {each.line}{f'; {remark}' if remark else ''})"
    return list(lines.values())


def is_missing(named: Named, lookup: Lookup, made: set[str]) -> bool:
    path = named.inside(lookup.root)
    if named.path.startswith(SYSTEM) or path in made or lookup.there(path):
        return False
    above = parent(path)
    while isinstance(above, str) and above not in (".", "/", ""):
        if above in made and not lookup.there(above):
            return False
        above = parent(above)
    return True


def templated(name: str, lookup: Lookup, folders: list[str]) -> bool:
    """Whether a folder of templates holds it. Without any such folder the code may name another."""
    if not folders:
        code = (lookup.tree.read(path) for path in lookup.tree.files if path.endswith(".py"))
        there = bool(lookup.near(name)) or any(path.endswith(f"/{name}") for path in lookup.tree.files)
        return there and any(ELSEWHERE_TEMPLATES.search(text) for text in code)
    return any(path == name or path.endswith(f"/{name}") for path in lookup.tree.files)


def written_into(found: list[Named], tree: Tree, root: str) -> dict[str, str]:
    """Folders that the code writes into, that are not there and that nothing in it makes -> where it does so."""
    lookup = Lookup(tree, root)
    made = {each.inside(root) for each in found if each.use is Use.WRITTEN}
    asked = {each.inside(root) for each in found if each.use is Use.ASKED}
    folders: dict[str, str] = {}
    for each in found:
        path = each.inside(root)
        folder = (
            path
            if each.use is Use.INTO
            else str(parent(path))
            if each.use is Use.WRITTEN and SUFFIX.search(path)
            else ""
        )
        inside = folder and not folder.startswith("..") and "\\" not in folder
        if inside and not lookup.there(folder) and folder not in made | asked:
            folders.setdefault(folder, each.at)
    return folders
