"""The environment of an app: this one where it fits, else a set that goes together, and an interpreter that has it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from flaskship.errors import VersionMismatch
from flaskship.source import Requirements, Solved, environments, solving

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def solved(*wanted: str, models: tuple[str, ...] = (), pythons: tuple[str, ...] | None = None) -> Solved:
    try:
        return environments.solve(Requirements(wanted=wanted, models=models), pythons)
    except VersionMismatch as error:
        if "cannot be fetched" in error.detail:
            pytest.skip(f"needs: a package index ({error})")
        raise


def pins(found: Solved) -> dict[str, str]:
    return dict(each.split("==") for each in found.pins)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLASKSHIP_CACHE", str(tmp_path / "cache"))


def test_this_environment_fits_what_it_has_and_names_all_that_is_needed():
    found = environments.fits(Requirements(wanted=("flask>=2", "numpy", 'colorama; sys_platform == "win32"')))
    assert found.python == HERE
    assert {"flask", "werkzeug", "jinja2", "markupsafe", "numpy"} <= pins(found).keys()


@pytest.mark.parametrize("wanted", ["flask==1.1.2", "surely-nobodys-package", "flask[dotenv]>=99", "numpy<1"])
def test_this_environment_does_not_fit_what_it_lacks(wanted):
    assert environments.fits(Requirements(wanted=("flask", wanted))) is None


def test_no_python_is_taken_that_lacks_what_the_code_imports():
    old = Requirements(wanted=("flask",), until="3.9")
    assert environments.fits(old) is None
    assert solving.solve(old).python == "3.9"


def test_another_python_than_the_folder_asks_for_is_said():
    found = environments.fits(Requirements(wanted=("flask",), python="3.8"))
    assert found.decisions == (f"The folder asks for Python 3.8; {HERE} is here, and has all that it needs.",)


def test_what_an_old_pin_needs_is_of_its_day():
    found = solved("flask==1.1.2")
    assert Requirement("jinja2<3").specifier.contains(pins(found)["jinja2"])
    assert Requirement("werkzeug<2").specifier.contains(pins(found)["werkzeug"])
    assert found.python == "3.8"
    assert "as of 2020-04-03, the day of flask 1.1.2" in found.decisions[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="needs: another machine than Windows")
def test_what_is_for_another_machine_is_left_out():
    found = solved("itsdangerous==2.0.1", "pywin32==300")
    assert found.decisions[0] == "pywin32 is left out: there is nothing of it for this machine."


def test_a_limit_is_of_the_day_of_the_last_version_that_it_allows():
    found = solved("flask<2")
    assert pins(found)["flask"] == "1.1.4"
    assert Requirement("markupsafe<2.1").specifier.contains(pins(found)["markupsafe"])
    assert "the day of flask 1.1.4" in found.decisions[-1]


def test_what_only_nvidias_cards_use_is_left_out():
    found = solved("xgboost==2.1.4")
    assert pins(found).keys() == {"numpy", "scipy", "xgboost"}
    assert found.decisions[0].startswith("nvidia-nccl-cu12 is left out")


def test_pins_without_wheels_go_and_what_takes_their_place_is_said():
    found = solved("scikit-learn==0.19.1", "numpy==1.16.2", "surely-nobodys-package")
    said = "\n".join(found.decisions)
    assert found.python == "3.8"
    assert pins(found)["scikit-learn"].startswith("0.22")
    assert "surely-nobodys-package is left out: no index has a package of that name." in said
    assert "there are no wheels of numpy 1.16.2 and scikit-learn 0.19.1 for Python 3.8 or later" in said
    assert f"numpy {pins(found)['numpy']}, scikit-learn {pins(found)['scikit-learn']}" in said


def test_flasks_pin_goes_where_it_blocks_and_a_model_librarys_stays():
    found = solved("flask==1.1.2", "werkzeug==1.0.1", "scikit-learn==1.7.2", models=("scikit-learn",))
    assert pins(found)["scikit-learn"] == "1.7.2"
    assert Requirement("flask>=3").specifier.contains(pins(found)["flask"])
    assert any(each.startswith("flask==1.1.2 and werkzeug==1.0.1 are taken without") for each in found.decisions)


@pytest.mark.parametrize(("alone", "kept"), [(True, ["flask==1.1.2"]), (False, [])])
def test_an_extension_of_flask_that_blocks_can_go_without_flask(alone, kept):
    wanted = {each.name: each for each in map(Requirement, ("flask==1.1.2", "flask-minify==0.30"))}
    search = solving.Search(wanted=wanted, models=frozenset(), known={}, until=0)
    search.let_go(["flask-minify"], "it blocks", alone)
    assert [str(each) for each in search.wanted.values() if each.specifier] == kept


def test_a_pin_that_the_models_library_contradicts_goes():
    found = solved("numpy==1.26.4", "pandas==2.2.0", "scikit-learn==0.24.2", models=("scikit-learn",))
    assert pins(found)["scikit-learn"] == "0.24.2"
    assert Requirement("numpy<1.22").specifier.contains(pins(found)["numpy"])


def test_the_newest_is_taken_where_only_older_ones_have_wheels_and_none_was_compiled():
    assert Version(pins(solved("flasgger", pythons=(HERE,)))["flasgger"]) > Version("0.9.5")


def test_what_numpy_1_compiled_is_not_put_beside_a_model_of_numpy_2():
    found = pins(solved("numpy>=2", "pandas", "python-dateutil==2.8.1", models=("numpy",), pythons=(HERE,)))
    assert Version(found["pandas"]) >= Version("2.2.2")


def test_what_goes_with_a_pinned_numpy_1_keeps_its_versions():
    assert pins(solved("numpy==1.19.5", "pandas==1.1.5"))["pandas"] == "1.1.5"


def test_a_models_library_without_wheels_is_taken_in_the_next_version_that_has_some():
    found = solved("flask==2.0.1", "scikit-learn==0.21.3", models=("scikit-learn",))
    assert pins(found)["scikit-learn"].startswith("0.22.")
    assert "scikit-learn 0.22 is taken: the next that has wheels." in found.decisions


def test_a_python_that_is_named_and_has_no_wheels_of_a_pin_is_refused():
    with pytest.raises(VersionMismatch, match=r"no wheels of scikit-learn 0\.24\.2 for Python 3\.12; Python 3\.9 has"):
        solved("flask", "scikit-learn==0.24.2", models=("scikit-learn",), pythons=("3.12",))


def test_an_environment_has_the_version_that_wrote_a_pickle_and_a_server():
    found = solved("flask", "scikit-learn==0.24.2", models=("scikit-learn",))
    assert (found.python, pins(found)["scikit-learn"]) == ("3.9", "0.24.2")
    python = environments.python(found)
    code = "import flask, sklearn, granian.server, gunicorn.app.base; print(sklearn.__version__)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.24.2"
    assert environments.python(found) == python


def test_a_solved_set_is_kept(monkeypatch):
    found = solved("itsdangerous==2.0.1")
    monkeypatch.setattr(solving, "_solve", pytest.fail)
    assert solved("itsdangerous==2.0.1") == found
