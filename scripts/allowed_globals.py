"""Writes `src/flaskship/artifact/pickles/allowed.txt`, the table of what a model's pickle may name.

    python scripts/allowed_globals.py src/flaskship/artifact/pickles/allowed.txt

adds to the table what the libraries installed here have, so that run once under each of several versions it knows the
module paths of all of them. Runs on Python 3.6 and later. What is written by hand is in `BASE`.
"""

import importlib
import inspect
import pathlib
import pkgutil
import re
import sys
import warnings

PACKAGES = ("sklearn", "imblearn")
MODULES = ("xgboost.core", "xgboost.sklearn", "lightgbm.basic", "lightgbm.sklearn", "catboost.core")
MODELS = re.compile(r"Booster|_?(XGB|LGBM|CatBoost)\w*|_(Objective|Eval)FunctionWrapper")  # of those modules
NOT_MODULES = (
    ".tests",
    ".conftest",
    "sklearn.datasets",
    "sklearn.externals",
    "sklearn._build_utils",
    "sklearn.experimental",
    "sklearn.setup",
    "sklearn._config",
    "sklearn.inspection",
    "sklearn.callback",
    "sklearn.ensemble._hist_gradient_boosting.common",
    "sklearn.ensemble._hist_gradient_boosting.grower",
    "sklearn.ensemble._hist_gradient_boosting.splitting",
    "sklearn.metrics._plot",
    "sklearn.metrics._scorer",
    "sklearn.metrics.scorer",
    "sklearn.metrics._pairwise_distances_reduction",
    "sklearn.model_selection._plot",
    "sklearn.tree._export",
    "sklearn.tree._reingold_tilford",
    "sklearn.tree.export",
    "imblearn.utils",
    "imblearn.datasets",
    "imblearn.keras",
    "imblearn.tensorflow",
    "imblearn.metrics",
    "imblearn.show_versions",
    "imblearn._config",
)
NOT_NAMES = re.compile(
    r"\w*Display|Parameter(Grid|Sampler)|VerboseReporter|classification_report|pairwise_distances_chunked|"
    r"(distance|kernel)_metrics"
)
OF_UTILS = {"Bunch", "MetadataRequest", "MethodMetadataRequest", "check_array", "row_norms", "safe_sparse_dot"}
COMPILED = re.compile(  # what fitted models hold of the compiled classes; the others live while a model is fitted
    r"(_loss|sklearn\._loss\._loss) .*"
    r"|sklearn\.linear_model\._?sgd_fast .*"
    r"|sklearn\.(metrics|neighbors)\._?dist_metrics .*"
    r"|sklearn\.neighbors\._?(ball|kd)_tree (newObj|(Ball|KD)Tree(32|64)?)"
    r"|sklearn\.tree\._tree Tree"
)
FUNCTIONS = (  # pure functions of numbers, named by a parameter of an estimator
    "sklearn.metrics",
    "sklearn.metrics.pairwise",
    "sklearn.metrics.cluster",
    "sklearn.feature_selection",
    "sklearn.preprocessing",
)
NUMPY_FUNCTIONS = [
    "abs",
    "absolute",
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "around",
    "array",
    "asarray",
    "asfarray",
    "atleast_1d",
    "atleast_2d",
    "average",
    "ceil",
    "clip",
    "column_stack",
    "concatenate",
    "copy",
    "cumprod",
    "cumsum",
    "diff",
    "dot",
    "exp",
    "expand_dims",
    "expm1",
    "fabs",
    "fix",
    "flip",
    "hstack",
    "interp",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log10",
    "log1p",
    "log2",
    "max",
    "mean",
    "median",
    "min",
    "nan_to_num",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanstd",
    "nansum",
    "percentile",
    "prod",
    "quantile",
    "ravel",
    "real",
    "reshape",
    "round",
    "round_",
    "sign",
    "sort",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sum",
    "swapaxes",
    "tile",
    "transpose",
    "unique",
    "var",
    "vstack",
    "where",
]
BASE = pathlib.Path(__file__).with_name("allowed_base.txt")


def modules(package):
    """Every module of a package that imports here and may hold what models are made of."""
    try:
        root = importlib.import_module(package)
    except ImportError:
        return
    yield root
    for found in pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda name: None):
        if any(found.name.startswith(each) or (each[0] == "." and each in found.name) for each in NOT_MODULES):
            continue
        try:
            yield importlib.import_module(found.name)
        except Exception as error:  # noqa: BLE001  # a module that needs what is not here
            print("skipped", found.name, type(error).__name__, file=sys.stderr)


def section(cls):
    """Extension types and those with reconstructors of their own are called; others are made empty."""
    reduces = any("__reduce__" in vars(each) or "__reduce_ex__" in vars(each) for each in cls.__mro__[:-1])
    compiled = not hasattr(cls, "__dict__") or not cls.__flags__ & (1 << 9)  # Py_TPFLAGS_HEAPTYPE
    return "calls" if reduces and compiled else "types"


def found_here():
    """(section, module, name) of what the libraries here have."""
    every = [each for package in PACKAGES for each in modules(package)]
    for name in MODULES:
        try:
            every.append(importlib.import_module(name))
        except ImportError:
            continue
    for module in every:
        for name, value in vars(module).items():
            if module.__name__ in MODULES and not MODELS.fullmatch(name):
                continue
            if inspect.isclass(value) and value.__module__ == module.__name__ and not issubclass(value, BaseException):
                yield section(value), module.__name__, value.__name__
            elif inspect.isclass(value) and value.__module__ == "_loss":
                yield "calls", "_loss", value.__name__  # scikit-learn 1.4 to 1.7
            elif name.startswith("__pyx_unpickle_") or (name == "newObj" and callable(value)):
                yield "calls", getattr(value, "__module__", None) or module.__name__, name
    yield from functions()


def functions():
    """Functions that may be named."""
    for path in FUNCTIONS:
        try:
            module = importlib.import_module(path)
        except ImportError:
            continue
        for value in vars(module).values():
            if inspect.isfunction(value) and value.__module__.startswith("sklearn.") and public(value):
                yield "names", value.__module__, value.__name__
    import numpy
    import scipy.special

    for module in (numpy, scipy.special):
        for name, value in vars(module).items():
            if isinstance(value, numpy.ufunc) and not name.startswith("_"):
                for home in homes(module.__name__):
                    yield "names", home, name
    for name in NUMPY_FUNCTIONS:
        yield "names", "numpy", name


def homes(name):
    """The modules under which a ufunc is pickled, in this version and others."""
    if name == "numpy":
        cores = ("numpy.core", "numpy._core")
        return (name, *[core + end for core in cores for end in (".umath", "._multiarray_umath", ".multiarray")])
    return (name, "scipy.special._ufuncs")


def public(value):
    words = ("fetch", "load", "get_", "check_", "make_scorer", "plot")
    return not value.__name__.startswith(("_", *words))


def needed(section, module, name):
    """Whether a model file may need what was found, now or by the table's earlier versions."""
    package = module.partition(".")[0]
    if package not in (*PACKAGES, "_loss", "xgboost", "lightgbm", "catboost"):
        return section == "names" and package in ("numpy", "scipy")
    if any(module.startswith(each) for each in NOT_MODULES) or NOT_NAMES.fullmatch(name):
        return False
    if module.startswith("sklearn.utils"):
        return name in OF_UTILS
    return section != "calls" or COMPILED.fullmatch(module + " " + name) is not None


def read(path):
    rows, current = set(), ""
    for line in path.read_text().splitlines() if path.exists() else ():
        module, *names = line.split()
        if module.startswith("["):
            current = module.strip("[]")
        rows.update((current, module, name) for name in names)
    return rows


def main(path):
    warnings.simplefilter("ignore")
    rows = read(BASE)
    by_hand = {row[1:] for row in rows}
    rows |= {row for row in read(path) | set(found_here()) if needed(*row) and row[1:] not in by_hand}
    called = {row[1:] for row in rows if row[0] == "calls"}
    typed = {row[1:] for row in rows if row[0] == "types"} - called
    named = {row[1:] for row in rows if row[0] == "names"} - called - typed
    lines = []
    for title, pairs in (("calls", called), ("types", typed), ("names", named)):
        lines.append("[" + title + "]")
        for module in sorted({module for module, _ in pairs}):
            lines.append(" ".join([module, *sorted(name for each, name in pairs if each == module)]))
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
