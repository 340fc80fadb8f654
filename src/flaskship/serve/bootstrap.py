"""The first file of a worker process: `python bootstrap.py LINK LISTENER`, two inherited file descriptors.

Makes this one package importable, from where it lies, and nothing that lies beside it: the interpreter may be that of
another environment, which must see none of the libraries of Flaskship's own.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

if __name__ == "__main__":
    if not getattr(sys.flags, "safe_path", False):  # -P is of Python 3.11 and later
        del sys.path[0]  # this folder, where `granian` is a module of ours
    package = Path(__file__).resolve().parent.parent
    spec = spec_from_file_location("flaskship", package / "__init__.py", submodule_search_locations=[str(package)])
    assert spec is not None and spec.loader is not None
    sys.modules["flaskship"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["flaskship"])
    from flaskship.serve import worker  # only now can it be found

    worker.start(int(sys.argv[1]), int(sys.argv[2]))
