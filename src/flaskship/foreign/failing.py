"""Why a program does not start, in one sentence with the file and the line."""

from __future__ import annotations

import importlib.util
import linecache
import os
import re
import sys
import traceback
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator

from flaskship.errors import AppFailed, FlaskshipError

DISTRIBUTIONS = {  # module -> distribution, where it is not the same name
    "PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python-headless", "dotenv": "python-dotenv",
    "flask_sqlalchemy": "flask-sqlalchemy", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip
HUB = re.compile(r"huggingface|hf_hub|LocalEntryNotFound|OfflineMode")


def failed(error: BaseException, root: Path) -> FlaskshipError:
    """What `error`, which ended the program below `root` as it started, says to whoever serves it."""
    if isinstance(error, FlaskshipError):
        return error
    if isinstance(error, SyntaxError):
        where = f"{shown(Path(error.filename or ''), root)}, line {error.lineno}"
        python = ".".join(map(str, sys.version_info[:2]))
        return AppFailed(f"{where}, is not Python {python}: {error.msg}")
    where = place(error, root)
    for reason in (_exit, _module, _file, _variable, _input, _nltk, _keras, _hub):
        said = reason(error, root)
        if said:
            return AppFailed(f"{where} {said}")
    text = " ".join(str(error).split())
    return AppFailed(f"{where} ended with {type(error).__name__}{': ' if text else ''}{text[:600]}")


def told(text: str, root: Path) -> AppFailed:
    """What a traceback says, as text."""
    lines = text.strip().splitlines() or ["It does not say why."]
    own = [found for found in re.findall(r'File "(.+?)", line (\d+)', text) if is_own(found[0], root)]
    where = f"{shown(Path(own[-1][0]), root)}, line {own[-1][1]}," if own else "The app"
    return AppFailed(f"{where} ended with {lines[-1]}")


def place(error: BaseException, root: Path) -> str:
    """`app.py, line 12,` of the program's own line that was the last, else of the library's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(frame.filename, root)]
    if not own:
        return "The app"
    return f"{shown(Path(own[-1].filename), root)}, line {own[-1].lineno},"


def is_own(file: str, root: Path) -> bool:
    """Whether a file is the program's, and not of a library, which may lie below its folder too."""
    return file.startswith(f"{root}{os.sep}") and "site-packages" not in file


def shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if root in path.parents else path.name


def line(thread: int, root: Path) -> str:
    """Where a thread is now in the program's own files: `app.py, line 12: model = train(rows)`."""
    frame = sys._current_frames().get(thread)
    while frame is not None and not is_own(frame.f_code.co_filename, root):
        frame = frame.f_back
    if frame is None:
        return "in a library"
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"{shown(Path(frame.f_code.co_filename), root)}, line {frame.f_lineno}{': ' if text else ''}{text}"


def _exit(error: BaseException, root: Path) -> str:
    if not isinstance(error, SystemExit):
        return ""
    code = 0 if error.code is None else error.code
    told = f"exit code {code}" if isinstance(code, int) else repr(code)
    return f"ended the program with {told} before it served anything. A server is given no arguments and no terminal."


def _module(error: BaseException, root: Path) -> str:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    top = error.name.partition(".")[0]
    if top != error.name and (root / top).is_dir():
        return f"needs the module {error.name!r}, which is not in its folder {top!r}."
    if top != error.name and _there(top):
        return (
            f"needs the module {error.name!r}, which the installed {top!r} does not have: another version of it does,"
            " perhaps the one that wrote a pickle."
        )
    name = DISTRIBUTIONS.get(top, top)
    return f"imports {top!r}, which is not installed. Add {name!r} to its requirements."


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _file(error: BaseException, root: Path) -> str:
    if not isinstance(error, OSError) or error.filename is None:
        return ""
    name = os.fsdecode(error.filename) if not isinstance(error.filename, int) else str(error.filename)
    if isinstance(error, FileNotFoundError):
        if re.match(r"[A-Za-z]:[\\/]", name):
            return f"names {name!r}, a path of another machine. Put the file into the folder, and name it from there."
        if "\\" in name:
            return f"names {name!r}, with Windows's separators: there is no such file here. Write '/'."
        where = "is not there" if Path(name).is_absolute() else f"is not in {str(root)!r}"
        return f"names {name!r}, which {where}."
    return f"cannot open {name!r}: {error.strerror}."


def _variable(error: BaseException, root: Path) -> str:
    """A variable of the environment, looked up by `os.environ["NAME"]`."""
    last = _frames(error)[-1:]
    if not isinstance(error, KeyError) or not last or last[0].f_globals.get("__name__") != "os":
        return ""
    return f"reads the environment variable {error.args[0]!r}, which is not set: --env {error.args[0]}=VALUE."


def _input(error: BaseException, root: Path) -> str:
    if isinstance(error, EOFError) and "reading a line" in str(error):
        return "asks for input at a terminal. A server has none."
    return ""


def _nltk(error: BaseException, root: Path) -> str:
    found = re.search(r"Resource \W*(?:\x1b\[\d+m)?(\w+)", str(error))
    if not isinstance(error, LookupError) or "nltk" not in str(error).lower() or not found:
        return ""
    return (
        f"needs NLTK's data {found[1]!r}, which are not here. Put them into the app's folder"
        f" (python -m nltk.downloader -d nltk_data {found[1]}) and name it: --env NLTK_DATA=nltk_data."
    )


def _keras(error: BaseException, root: Path) -> str:
    """Keras on Windows wrote its groups under names with backslashes, which it finds nowhere else."""
    for frame in _frames(error):
        name = frame.f_locals.get("filepath")
        if "keras" not in frame.f_globals.get("__name__", "") or not isinstance(name, (str, Path)):
            continue
        if zipfile.is_zipfile(name):
            with zipfile.ZipFile(name) as archive:
                if "model.weights.h5" in archive.namelist() and b"layers\\" in archive.read("model.weights.h5"):
                    return (
                        f"loads {str(name)!r}, which Keras wrote on Windows with '\\' in the names of its layers:"
                        " they are not found here. Save it anew on Linux, or as .h5."
                    )
    return ""


def _hub(error: BaseException, root: Path) -> str:
    if not HUB.search(f"{type(error).__name__} {error}"):
        return ""
    text = " ".join(str(error).split())[:200]
    return (
        f"asks the Hugging Face hub for files, and does not get them. Put them into the app's folder. It said: {text}"
    )


def _frames(error: BaseException) -> list[Any]:
    return list(_walk(error.__traceback__))


def _walk(trace: TracebackType | None) -> Iterator[Any]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
