"""A file as a module, run where it lies.

While it is loaded its folder (the one above its top package, where it lies in one) is the working directory and first
on `sys.path`, where it stays for what is imported later. What it prints goes to stderr. Whatever it raises is a
`TargetError` that names file and line.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from flaskship.artifact.function.reading import home
from flaskship.errors import FlaskshipError, MissingExtra, TargetError, UsageError

INSTALLED = ("site-packages", "dist-packages")

_modules: dict[tuple[Path, int, int], ModuleType] = {}  # by path, time and size
_folders: set[Path] = set()  # that something was loaded from


@contextlib.contextmanager
def in_place(path: Path) -> Iterator[None]:
    """As if Python had been started in the folder of `path`."""
    folder = str(home(path)[0])
    sys.path[:] = [folder, *(each for each in sys.path if each != folder)]
    with contextlib.chdir(folder), contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """Whatever is raised within becomes a `TargetError` that says where in the user's code."""
    try:
        yield
    except UsageError as error:  # of the decorator
        raise TargetError(f"{error.detail} {_place(path, error)}") from error
    except FlaskshipError:
        raise
    except ModuleNotFoundError as error:
        if not _is_missing(error, path):
            raise _raised(path, what, error) from error
        raise MissingExtra(
            f"{what} needs the module {error.name!r}, which is not installed. {_place(path, error)}"
        ) from error
    except (Exception, SystemExit) as error:  # the user's code, which raises what it likes
        raise _raised(path, what, error) from error


def loaded(path: Path) -> ModuleType:
    """The file as a module, under its package's name; run once a process unless it changed. Raises `TargetError`."""
    try:
        about = path.stat()
    except OSError as error:
        raise TargetError(f"Cannot read {str(path)!r}: {error.strerror}.") from error
    key = (path, about.st_mtime_ns, about.st_size)
    if key not in _modules:
        folder, name = home(path)
        importlib.invalidate_caches()  # its folder may be younger than what is kept of it
        _forget_namesakes(folder)
        _folders.add(folder)
        with told(path, repr(path.name)):
            _modules[key] = _imported(path, name)
    return _modules[key]


def _imported(path: Path, name: str) -> ModuleType:
    package = name.rpartition(".")[0]
    if package:
        importlib.import_module(package)
    elif _is_taken(name, path):
        name = f"{name}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path.name!r} is no Python file. Name one that ends in '.py'.")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # where what it defines is looked up, by dataclasses among others
    try:
        spec.loader.exec_module(module)
    except BaseException:  # a module may raise anything, SystemExit too, which goes on up: no half of it is kept
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def _is_taken(name: str, path: Path) -> bool:
    """Whether another module has this name, of Python or loaded already."""
    there = sys.modules.get(name)
    file = getattr(there, "__file__", None)
    return name in sys.stdlib_module_names or (there is not None and (file is None or Path(file) != path))


def _forget_namesakes(folder: Path) -> None:
    """Of what other targets imported from beside them, what `folder` has too: each target gets its own `helpers`."""
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "")
        top = folder / name.partition(".")[0]
        if file.is_relative_to(folder) or not (top.is_dir() or top.with_suffix(".py").is_file()):
            continue
        if any(file.is_relative_to(each) for each in _folders) and not set(INSTALLED) & set(file.parts):
            del sys.modules[name]


def _is_missing(error: ModuleNotFoundError, path: Path) -> bool:
    """Whether it is a library that is missing, rather than something in the folder."""
    top = (error.name or "").partition(".")[0]
    return bool(top) and not (home(path)[0] / top).exists()


def _raised(path: Path, what: str, error: BaseException) -> TargetError:
    if isinstance(error, SyntaxError):
        return TargetError(f"{what} cannot be parsed: {error.msg}. {_place(path, error)}")
    if isinstance(error, SystemExit):
        return TargetError(f"{what} ends the program when it is loaded. {_place(path, error)}")
    said = str(error).rstrip(".")
    return TargetError(f"{what} raised {type(error).__name__}{f': {said}' if said else ''}. {_place(path, error)}")


def _place(path: Path, error: BaseException) -> str:
    """`See 'shapes.py', line 12.`: the innermost line of the user's own folder."""
    folder = home(path)[0]
    places = [(Path(each.filename), each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        places.append((Path(error.filename), error.lineno))
    own = [each for each in places if each[0].is_relative_to(folder) and not set(INSTALLED) & set(each[0].parts)]
    file, line = own[-1] if own else (path, 1)
    return f"See {file.relative_to(folder).as_posix()!r}, line {line}."
