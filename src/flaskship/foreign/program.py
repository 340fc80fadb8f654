"""Run an app's entry file, as `python app.py` or `python -m package.app` would."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

PRODUCTION = {"FLASK_ENV": "production", "FLASK_DEBUG": "0"}
RELOADER = ("WERKZEUG_RUN_MAIN", "WERKZEUG_SERVER_FD", "FLASK_RUN_FROM_CLI")  # what a parent's server left behind


@dataclass(frozen=True)
class Program:
    """`root` is its working directory, from where its modules are imported; `file` is what is run, below it."""

    root: Path
    file: Path

    @property
    def module(self) -> str:
        """The name under which other modules of the program import the file: "app", "package.app", "package"."""
        parts = self.file.relative_to(self.root).with_suffix("").parts
        if any("." in each for each in parts):  # "v1.0/app.py": no package can be called so
            return parts[-1]
        return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)

    def prepare(self) -> None:
        """Make this process as one of its own would be: directory, arguments, streams, environment."""
        os.chdir(self.root)
        sys.path.insert(0, str(self.root))
        if self.file.parent != self.root:  # `python package/app.py` finds its neighbours so
            sys.path.append(str(self.file.parent))
        sys.argv[:] = [str(self.file)]
        os.environ.update(PRODUCTION)
        for name in RELOADER:
            os.environ.pop(name, None)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a real one here

    def run(self) -> ModuleType:
        """Run it to its end: what it defined. Other modules that import it get the same module, and do not run it anew.

        Raises whatever it raises, `SystemExit` too.
        """
        package = self.module.rpartition(".")[0]
        if package:
            importlib.import_module(package)
        if self.file.name == "__init__.py" or (self.module in sys.modules and package):  # its package imported it
            return importlib.import_module(self.module)
        code = compile(self.file.read_bytes(), str(self.file), "exec", dont_inherit=True)
        main = ModuleType("__main__")
        main.__file__ = str(self.file)
        main.__loader__ = SourceFileLoader("__main__", str(self.file))
        if package:
            main.__package__ = package
            main.__spec__ = ModuleSpec(self.module, main.__loader__, origin=str(self.file))
        sys.modules["__main__"] = sys.modules[self.module] = main
        if package:
            setattr(sys.modules[package], self.module.rpartition(".")[2], main)
        exec(code, main.__dict__)
        return main
