"""The lock and the layers of wheels, on three small wheels made here and an index of nothing else."""

from __future__ import annotations

import csv
import io
import os
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from flaskship.errors import ImageError, NoWheel
from flaskship.image import lock as locks
from flaskship.image import wheels
from flaskship.image.layer import Silent
from flaskship.image.lock import Lock, Where
from flaskship.image.spec import Platform
from flaskship.image.store import Store

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Where(platform=Platform.here(), python=PYTHON, glibc=36)
FAR = Where(platform=Platform.parse("linux/s390x"), python=PYTHON)


def make_wheel(
    folder: Path, name: str, version: str, files: dict[str, str], tag: str = "py3-none-any", more: str = ""
) -> None:
    """A wheel as the specification has it, without any build tool."""
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n{more}"
    whole = {
        **files,
        f"{info}/METADATA": about,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/RECORD": "".join(f"{each},,\n" for each in files),
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        for each, text in whole.items():
            archive.writestr(each, text)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip's configuration names; no other index is asked."""
    folder = tmp_path / "wheels"
    make_wheel(
        folder, "harbour", "1.0",
        {
            "harbour/__init__.py": "QUAY = {'a', 'b', 'c'}\n",
            "harbour/tests/__init__.py": "",
            "harbour-1.0.dist-info/entry_points.txt": "[console_scripts]\nharbour = harbour:main\n",
            "harbour-1.0.data/scripts/sail": "#!python\nprint('sail')\n",
            "harbour-1.0.data/data/share/harbour/map.txt": "map",
            "harbour-1.0.data/headers/harbour.h": "int quay;\n",
        },
        more="Requires-Dist: pier>=1\n",
    )  # fmt: skip
    make_wheel(folder, "pier", "1.5", {"pier.py": "x = 1\n"})
    make_wheel(folder, "anchor", "2.0", {"anchor.py": ""}, tag="cp39-cp39-win_amd64")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return folder


def names(made: wheels.Wheels) -> list[str]:
    found = []
    for each in made.layers:
        with tarfile.open(fileobj=io.BytesIO(each.blob.read())) as members:
            found += [member.name for member in members if not member.isdir()]
    return found


def read(made: wheels.Wheels, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(made.layers[-1].blob.read())) as members:
        file = members.extractfile(f"{wheels.PREFIX}/{name}")
        assert file is not None
        return file.read().decode()


def test_the_lock_pins_all_with_hashes(index: Path) -> None:
    lock = locks.resolve(["harbour"], HERE)
    assert [(pin.name, pin.version) for pin in lock.pins] == [("harbour", "1.0"), ("pier", "1.5")]
    assert all("--hash=sha256:" in pin.text for pin in lock.pins)


def test_a_lock_is_honoured_until_what_it_is_for_changes(index: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert locks.read(path, ["harbour"], PYTHON) is None
    lock = replace(locks.resolve(["harbour"], HERE), base="python:3@sha256:1")
    locks.write(path, lock, ["harbour"], PYTHON)
    assert locks.read(path, ["harbour"], PYTHON) == lock
    assert locks.base_of(path) == "python:3@sha256:1"
    assert locks.read(path, ["harbour", "pier"], PYTHON) is None
    assert locks.read(path, ["harbour"], "3.9") is None


def test_a_lock_is_extended_by_the_hashes_of_another_platform(index: Path) -> None:
    for tag, text in (("x86_64", "here"), ("aarch64", "there")):
        make_wheel(index, "cargo", "1.0", {"cargo.py": text}, tag=f"py3-none-manylinux_2_17_{tag}")
    arm = Where(platform=Platform.parse("linux/arm64"), python=PYTHON)
    first = locks.resolve(["cargo"], HERE)
    both = locks.extend(replace(first, text="\n".join(first.text.splitlines()[:2]).rstrip(" \\") + "\n"), arm)
    assert [(pin.name, pin.version) for pin in both.pins] == [("cargo", "1.0")]
    assert both.text.count("--hash=") == 2
    assert both.tags == (HERE.tag, arm.tag)


@pytest.fixture
def torches(index: Path) -> Path:
    """Two builds of a torch, as an index and a folder of wheels have them."""
    make_wheel(index, "torch", "2.0", {"torch.py": "CUDA = True\n"}, more="Requires-Dist: nvidia-cudnn\n")
    tests = {"torch/test/basic": "", "torch/bin/test_api": "", "torch/bin/protoc": "", "torch/testing.py": ""}
    make_wheel(index, "torch", "2.0+cpu", {"torch.py": "CUDA = False\n", **tests})
    make_wheel(index, "nvidia_cudnn", "9.0", {"nvidia/cudnn.py": ""})
    return index


@pytest.mark.parametrize(
    ("gpu", "pins"), [(False, ["torch==2.0+cpu"]), (True, ["nvidia-cudnn==9.0", "torch==2.0"])]
)  # fmt: skip
def test_torch_is_the_build_for_cpus_unless_a_gpu_is_there(
    torches: Path, store: Store, gpu: bool, pins: list[str]
) -> None:
    lock = locks.resolve(["torch==2.0"], HERE, gpu=gpu)
    assert [f"{pin.name}=={pin.version}" for pin in lock.pins] == pins
    made = wheels.layers(lock, HERE, store, Silent())
    assert read(made, f"lib/python{PYTHON}/site-packages/torch.py") == f"CUDA = {gpu}\n"
    assert not [name for name in names(made) if "torch/test/" in name or "test_api" in name]
    assert gpu or {f"{wheels.site(PYTHON)}/torch/{each}" for each in ("bin/protoc", "testing.py")} <= {*names(made)}


def test_no_other_index_is_asked_where_a_folder_has_torch(torches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = locks.run
    monkeypatch.setattr(locks, "run", lambda told, *more: asked.append(list(told)) or real(told, *more))
    locks.resolve(["torch"], HERE)
    assert len(asked) == 1
    assert "--torch-backend" not in asked[0]


def test_a_torch_without_a_build_for_nvidia_is_refused_for_a_gpu(torches: Path) -> None:
    make_wheel(torches, "torch", "3.0+cpu", {"torch.py": ""})
    with pytest.raises(NoWheel, match=r"torch==?3\.0"):
        locks.resolve(["torch==3.0"], HERE, gpu=True)
    make_wheel(torches, "torch", "3.0", {"torch.py": ""})
    with pytest.raises(NoWheel, match=r"Of torch 3\.0 there is no build for NVIDIA .* UV_TORCH_BACKEND="):
        locks.resolve(["torch==3.0"], HERE, gpu=True)


@pytest.mark.parametrize("pin", ["nvidia-cudnn-cu13==9.20", "onnxruntime-gpu==1.30.0", "torch==2.13.0+cu126"])
def test_a_lock_tells_what_computes_on_a_gpu(pin: str) -> None:
    assert locks.GPU.search(f"numpy==2.0\n{pin} \\\n    --hash=sha256:0\n")
    assert not locks.GPU.search("numpy==2.0\nonnxruntime==1.30.0\ntorch==2.13.0+cpu\n")


def test_a_lock_for_cpus_is_none_for_a_gpu(torches: Path, tmp_path: Path) -> None:
    for gpu in (False, True):
        lock = locks.resolve(["torch"], HERE, gpu=gpu)
        locks.write(tmp_path / "x.lock", lock, ["torch"], PYTHON)
        assert locks.read(tmp_path / "x.lock", ["torch"], PYTHON, gpu=gpu) == lock
        assert locks.read(tmp_path / "x.lock", ["torch"], PYTHON, gpu=not gpu) is None


def test_another_file_in_the_locks_place_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_text("mine")
    with pytest.raises(ImageError, match="is no lock of Flaskship"):
        locks.read(tmp_path / "x.lock", [], PYTHON)


@pytest.mark.parametrize("where", [HERE, FAR])
def test_a_package_without_a_wheel_is_named(index: Path, where: Where, store: Store) -> None:
    with pytest.raises(NoWheel, match=r"Python .* on linux/.*: .*anchor"):
        wheels.layers(locks.resolve(["anchor"], where), where, store, Silent())


def test_a_wheel_is_laid_out_as_the_specification_says(index: Path, store: Store) -> None:
    made = wheels.layers(locks.resolve(["harbour"], HERE), HERE, store, Silent())
    site = wheels.site(PYTHON)
    tag = f"cpython-{PYTHON.replace('.', '')}.pyc"
    assert sorted(names(made)) == sorted(
        [f"{wheels.PREFIX}/{each}" for each in ("bin/harbour", "bin/sail", "share/harbour/map.txt")]
        + [f"{wheels.PREFIX}/include/site/python{PYTHON}/harbour/harbour.h"]
        + [f"{site}/{each}" for each in ("harbour/__init__.py", "harbour/tests/__init__.py", "pier.py")]
        + [f"{site}/harbour/__pycache__/__init__.{tag}", f"{site}/__pycache__/pier.{tag}"]
        + [f"{site}/harbour-1.0.dist-info/{each}" for each in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")]
        + [f"{site}/pier-1.5.dist-info/{each}" for each in ("METADATA", "RECORD", "WHEEL")]
    )
    assert [(each.name, each.licence) for each in made.packages] == [("harbour", "MIT"), ("pier", "MIT")]


def test_scripts_run_on_the_images_python_and_record_says_so(index: Path, store: Store) -> None:
    made = wheels.layers(locks.resolve(["harbour"], HERE), HERE, store, Silent())
    assert read(made, "bin/sail") == f"#!/{wheels.PREFIX}/bin/python\nprint('sail')\n"
    assert read(made, "bin/harbour").startswith(f"#!/{wheels.PREFIX}/bin/python\n")
    record = read(made, f"lib/python{PYTHON}/site-packages/harbour-1.0.dist-info/RECORD")
    rows = {row[0]: row[1] for row in csv.reader(io.StringIO(record))}
    assert rows["../../../bin/sail"] == wheels._checksum(read(made, "bin/sail").encode())[0]
    assert "uv_cache.json" not in record


def test_equal_wheels_give_equal_layers_in_another_place(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name, umask in (("one", 0o022), ("two", 0o077)):
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / name / "uv"))
        monkeypatch.setenv("HOME", str(tmp_path / name))
        old = os.umask(umask)
        made = wheels.layers(locks.resolve(["harbour"], HERE), HERE, Store(tmp_path / name / "store"), Silent())
        os.umask(old)
        found.append([each.blob.digest for each in made.layers])
    assert found[0] == found[1]


def test_a_heavy_wheel_is_a_layer_of_its_own(index: Path, store: Store) -> None:
    make_wheel(index, "cargo", "1.0", {"cargo.py": "", "cargo.bin": "x" * (wheels.HEAVY + 1)})
    lock = locks.resolve(["cargo", "pier"], HERE)
    first = wheels.layers(lock, HERE, store, Silent())
    assert [each.title for each in first.layers] == ["cargo 1.0", "pier 1.5"]
    make_wheel(index, "pier", "1.6", {"pier.py": "x = 2\n"})
    second = wheels.layers(locks.resolve(["cargo", "pier"], HERE), HERE, store, Silent())
    assert [(each.title, each.made) for each in second.layers] == [("cargo 1.0", False), ("pier 1.6", True)]


def test_for_another_platform_nothing_of_this_one_is_taken(index: Path, store: Store) -> None:
    make_wheel(index, "cargo", "1.0", {"cargo.py": "here"}, tag="py3-none-manylinux_2_17_x86_64")
    make_wheel(index, "cargo", "1.0", {"cargo.py": "there"}, tag="py3-none-manylinux_2_17_aarch64")
    where = Where(platform=Platform.parse("linux/arm64"), python=PYTHON)
    made = wheels.layers(locks.resolve(["cargo"], where), where, store, Silent())
    assert read(made, f"lib/python{PYTHON}/site-packages/cargo.py") == "there"


def test_a_wheel_that_changed_since_it_was_locked_is_refused(
    index: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = locks.resolve(["pier"], HERE)
    make_wheel(index, "pier", "1.5", {"pier.py": "evil = 1\n"})
    monkeypatch.setenv("UV_CACHE_DIR", str(index / "fresh"))
    with pytest.raises(NoWheel, match="Hash mismatch"):
        wheels.layers(lock, HERE, store, Silent())


def test_an_empty_lock_is_no_layer(store: Store) -> None:
    assert wheels.layers(Lock(text=""), HERE, store, Silent()).layers == ()
