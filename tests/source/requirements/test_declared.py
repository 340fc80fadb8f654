"""What lists of requirements ask for, in every form that people keep them in. Nothing here asks an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.source.requirements import conda, declared, pip, projects
from flaskship.source.requirements.found import Found, ranged


def written(folder: Path, **files: str | bytes) -> Path:
    """`folder` with these files; `__` in a name is a dot, `___` a slash."""
    for name, content in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def asked(found: Found) -> list[str]:
    return sorted(str(each) for each in found.wanted.values())


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("Flask==1.1.2", "flask==1.1.2"),
        ("numpy == 1.19.5  # pinned", "numpy==1.19.5"),
        ("numpy=1.21.2", "numpy==1.21.2"),
        ("numpy=1.21.2=py39h20f2e39_0", "numpy==1.21.2"),
        ("pandas 1.3.0", "pandas==1.3.0"),
        ("pandas>=1.0 <2", "pandas<2,>=1.0"),
        ("pandas => 1.0", "pandas>=1.0"),
        ("scipy==v1.7.0", "scipy==1.7.0"),
        ("torch===1.7.0+cu101", "torch==1.7.0"),
        ("uvicorn[standard]>=0.20", "uvicorn[standard]>=0.20"),
        ("certifi @ file:///opt/conda/certifi_1655968806487/work/certifi", "certifi"),
        ("sklearn==0.0", "scikit-learn"),
        ("skikit-learn==0.24.2", "scikit-learn==0.24.2"),
        ("sci-kit-learn", "scikit-learn"),
        ("opencv-python==4.5.1.48", "opencv-python-headless==4.5.1.48"),
        ("psycopg2==2.9.1", "psycopg2-binary==2.9.1"),
        ("tensorflow-gpu==2.4.1", "tensorflow==2.4.1"),
        ('"flask",', "flask"),
        ("pip install flask", "flask"),
        ("Flask==one.two", "flask"),
        ('dataclasses==0.6; python_version < "3.7"', None),
        ('colorama==0.4.4; sys_platform == "win32"', None),
        ("pywin32==300", None),
        ("pickle", None),
        ("uWSGI==2.0.19", None),
        ("-i https://index.example/simple", None),
        ("-e .", None),
        ("-e git+https://git.example/me/tool.git#egg=tool", None),
        ("git+https://git.example/me/tool.git", None),
        ("./wheels/tool-1.0-py3-none-any.whl", None),
        ("Package    Version", None),
        ("---------- -------", None),
    ],
)
def test_a_line_is_read_as_its_writer_meant_it(tmp_path, line, wanted):
    found = pip.read(written(tmp_path, requirements__txt=f"{line}\n"), "requirements.txt")
    assert asked(found) == ([wanted] if wanted else [])


@pytest.mark.parametrize(
    "data",
    [
        b"flask==2.0.1\r\nnumpy\r\n",
        "\ufeffflask==2.0.1\nnumpy".encode(),
        "flask==2.0.1\r\nnumpy\r\n".encode("utf-16"),
        "flask==2.0.1\r\nnumpy\r\n".encode("utf-16-le"),
        "flask==2.0.1\r\nnumpy\r\n".encode("utf-16-be"),
        "# für das Modell\nflask==2.0.1\nnumpy\n".encode("latin-1"),
    ],
)
def test_a_list_is_read_in_the_encoding_that_an_editor_left(tmp_path, data):
    found = pip.read(written(tmp_path, requirements__txt=data), "requirements.txt")
    assert asked(found) == ["flask==2.0.1", "numpy"]


def test_a_line_goes_on_after_a_backslash_and_hashes_are_passed_over(tmp_path):
    text = "flask==2.0.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nnumpy==1.21.0 --hash=sha256:cc\n"
    found = pip.read(written(tmp_path, requirements__txt=text), "requirements.txt")
    assert asked(found) == ["flask==2.0.1", "numpy==1.21.0"]


def test_lists_include_each_other_and_constraints_bound_only_what_is_asked_for(tmp_path):
    written(
        tmp_path,
        requirements___base__txt="-r ../requirements.txt\nnumpy\n",
        requirements__txt="-r requirements/base.txt\n-c pins.txt\n-r gone.txt\nflask\n",
        pins__txt="numpy==1.21.0\nscipy==1.7.0\n",
    )
    found = pip.read(tmp_path, "requirements.txt")
    assert asked(found) == ["flask", "numpy==1.21.0"]
    assert any("'gone.txt'" in each for each in found.warnings)


def test_a_package_that_is_listed_twice_has_the_later_version(tmp_path):
    found = pip.read(written(tmp_path, requirements__txt="numpy==1.19\nnumpy==1.21.0\n"), "requirements.txt")
    assert asked(found) == ["numpy==1.21.0"]
    assert "numpy is listed twice: 1.21.0 is taken, not 1.19." in found.decisions[0]


def test_what_is_left_out_and_what_is_taken_instead_is_said(tmp_path):
    text = "pywin32==300\nskikit-learn\nopencv-python\ngit+https://git.example/tool\n"
    found = pip.read(written(tmp_path, requirements__txt=text), "requirements.txt")
    said = "\n".join([*found.decisions, *found.warnings])
    for each in (
        "pywin32 is left out: it is for Windows",
        "scikit-learn, which is the name",
        "a server has no display",
    ):
        assert each in said
    assert "'git+https://git.example/tool' is no name of the index, and is left out" in said


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^3.8", "3.9.1", "4.0"),
        ("^0.24.2", "0.24.9", "0.25.0"),
        ("~2.0.1", "2.0.9", "2.1.0"),
        (">=3.7,<3.10", "3.9.18", "3.10.0"),
        ("1.1.*", "1.1.4", "1.2.0"),
        ("2.0.1", "2.0.1", "2.0.2"),
        ("*", "7", None),
    ],
)
def test_ranges_are_read_as_poetry_writes_them(text, inside, outside):
    assert inside in ranged(text)
    assert outside is None or outside not in ranged(text)


PYPROJECT = """
[project]
requires-python = ">=3.8,<3.11"
dependencies = ["flask>=2", "joblib; python_version < '3.15'"]
[dependency-groups]
dev = ["pytest"]
model = ["scikit-learn==1.2.2"]
"""
POETRY = """
[tool.poetry.dependencies]
python = "^3.8"
flask = "^2.0"
pandas = { version = "~1.3", extras = ["excel"] }
heavy = { version = "*", optional = true }
mine = { path = "../mine" }
[tool.poetry.group.dev.dependencies]
pytest = "*"
"""
POETRY_LOCK = """
[[package]]
name = "flask"
version = "2.0.3"
[package.dependencies]
Werkzeug = ">=2.0"
colorama = { version = "*", markers = "platform_system == 'Windows'" }
[[package]]
name = "werkzeug"
version = "2.0.3"
[[package]]
name = "colorama"
version = "0.4.4"
[[package]]
name = "pandas"
version = "1.3.5"
[[package]]
name = "pytest"
version = "7.0"
"""


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url https://me:s3cr3t@index.example/simple",
        "git+https://s3cr3t@git.example/me/tool.git",
        "-e git+https://me:s3cr3t@git.example/me/tool.git#egg=tool",
        "tool @ git+https://s3cr3t@git.example/me/tool.git",
        "tool [all] @ https://me:s3cr3t@files.example/tool.whl",
    ],
)
def test_the_login_of_an_address_is_repeated_nowhere_and_the_address_is_never_asked(tmp_path, line):
    found = pip.read(written(tmp_path, requirements__txt=f"flask\n{line}\n"), "requirements.txt")
    assert asked(found) == ["flask"]
    told = " ".join([*found.decisions, *found.warnings])
    assert "example" in told and "s3cr3t" not in told


UV_LOCK = """
[[package]]
name = "flask"
version = "3.0.3"
source = { registry = "https://index.example/simple" }
dependencies = [{ name = "werkzeug" }, { name = "colorama", marker = "sys_platform == 'win32'" }]
[[package]]
name = "werkzeug"
version = "3.0.4"
"""


def test_a_project_asks_for_its_dependencies_and_not_for_those_of_its_developers(tmp_path):
    found = projects.pyproject(written(tmp_path, pyproject__toml=PYPROJECT), "pyproject.toml")
    assert asked(found) == ["flask>=2", 'joblib; python_version < "3.15"', "scikit-learn==1.2.2"]
    assert declared.allowed(found.python, ("3.11", "3.10", "3.8")) == ("3.10", "3.8")


def test_a_lock_gives_versions_to_a_project_and_to_all_that_it_needs(tmp_path):
    found = projects.pyproject(written(tmp_path, pyproject__toml=POETRY, poetry__lock=POETRY_LOCK), "pyproject.toml")
    assert asked(found) == ["flask==2.0.3", "pandas[excel]==1.3.5", "werkzeug==2.0.3"]
    assert any("'mine' is taken from '../mine'" in each for each in found.warnings)
    (tmp_path / "poetry.lock").unlink()
    found = projects.pyproject(written(tmp_path, pyproject__toml=PYPROJECT, uv__lock=UV_LOCK), "pyproject.toml")
    assert asked(found)[0:1] + asked(found)[-1:] == ["flask==3.0.3", "werkzeug==3.0.4"]


def test_pipfiles_and_their_locks_are_read(tmp_path):
    pipfile = (
        '[packages]\nflask = "==1.1.2"\nnumpy = "*"\n[dev-packages]\npytest = "*"\n[requires]\npython_version = "3.8"\n'
    )
    lock = '{"_meta": {}, "default": {"flask": {"version": "==1.1.2"}, "click": {"version": "==7.1.2"}}, "develop": {}}'
    written(tmp_path, Pipfile=pipfile, Pipfile__lock=lock)
    found = projects.pipfile(tmp_path, "Pipfile")
    assert (asked(found), found.python) == (["flask==1.1.2", "numpy"], "3.8")
    assert asked(projects.pipfile_lock(tmp_path, "Pipfile.lock")) == ["click==7.1.2", "flask==1.1.2"]


def test_setup_files_are_read_and_not_run(tmp_path):
    code = (
        "raise SystemExit\nfrom setuptools import setup\nneeds = ['flask>=1', 'numpy']\nsetup(install_requires=needs)\n"
    )
    config = "[options]\npython_requires = >=3.8\ninstall_requires =\n  flask\n  pandas>=1 # tables\n"
    written(tmp_path, setup__py=code, setup__cfg=config)
    assert asked(projects.setup_py(tmp_path, "setup.py")) == ["flask>=1", "numpy"]
    found = projects.setup_cfg(tmp_path, "setup.cfg")
    assert (asked(found), found.python) == (["flask", "pandas>=1"], ">=3.8")


CONDA = """\
name: me
channels: [conda-forge, defaults]
dependencies:
  - python=3.8.5   # the one on the server
  - numpy=1.21.2=py38h20f2e39_0
  - conda-forge::scikit-learn=0.24
  - py-xgboost>=1.3
  - libgcc-ng=9.1.0=hdf63c60_0
  - openssl=1.1.1
  - pip:
    - flask==2.0.1
    - sklearn
  - joblib
prefix: C:\\Users\\me
"""


def test_an_environment_of_conda_names_distributions(tmp_path):
    found = conda.read(written(tmp_path, environment__yml=CONDA.replace("\n", "\r\n")), "environment.yml")
    assert asked(found) == ["flask==2.0.1", "joblib", "numpy==1.21.2", "scikit-learn==0.24.*", "xgboost>=1.3"]
    assert found.python == "3.8.5"
    assert any("2 packages are conda's own" in each for each in found.decisions)


def test_a_dockerfile_tells_its_python_and_what_it_installs(tmp_path):
    text = "FROM python:3.8-slim AS base\nRUN pip install --no-cache-dir flask==2.0.1 \\\n    joblib && rm -rf /x\n"
    found = declared.dockerfile(
        written(tmp_path, Dockerfile=text + "RUN pip install -r requirements.txt\n"), "Dockerfile"
    )
    assert (asked(found), found.python) == (["flask==2.0.1", "joblib"], "3.8")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runtime__txt", "python-3.8.10\n"),
        ("__python-version", "3.8.10"),
        ("__tool-versions", "nodejs 16\npython 3.8.1\n"),
    ],
)
def test_a_file_may_name_the_python(tmp_path, name, content):
    written(tmp_path, **{name: content})
    assert declared.python(tmp_path, ".")[0] == "3.8"


def test_the_list_beside_the_app_comes_before_those_above_it(tmp_path):
    written(
        tmp_path,
        backend___requirements__txt="flask\n",
        requirements__txt="numpy\n",
        requirements_dev__txt="pytest\n",
        environment__yml="dependencies:\n  - scipy\n",
    )
    assert [each.path for each in declared.read(tmp_path, "backend")] == [
        "backend/requirements.txt",
        "requirements.txt",
        "environment.yml",
    ]
