"""Python functions and classes as models: `module.py`, `module.py:name`.

functions(path, "segment")          -> True: this is one, not an app; read from its source, nothing is run
home(path)                          -> (folder, "package.module"): where it is imported from, under which name
load(root, "shapes.py", "Shapes")   -> {"segment": FunctionModel, …}: one an endpoint, by its name
"""

from __future__ import annotations

from flaskship.artifact.function.loader import load
from flaskship.artifact.function.model import FunctionModel
from flaskship.artifact.function.reading import functions, home

__all__ = ["FunctionModel", "functions", "home", "load"]
