"""The documentation says what is so: generated pages are fresh, commands run and print what is shown.

In a ```console block a line that starts with `$ ` is run, in a folder with the examples' files, and must print what
follows it, where `...` stands for anything, white space counts for nothing, and what was measured or is a version may
differ. `flaskship serve` runs until the page ends, on a free port instead of 8000.
A block after `<!-- not run: reason -->` is for the reader only. The ```python blocks of docs/python.md are one program.
"""

from __future__ import annotations

import dataclasses
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import free_port

from flaskship import errors
from flaskship.settings import Settings, variable

ROOT = Path(__file__).parent.parent
REFERENCE = runpy.run_path(str(ROOT / "scripts" / "reference.py"))
DECIMAL = re.compile(r"\d+\.\d{7,}(?:e-?\d+)?")
VARYING = re.compile(r"\d[\d.,]*(?= (µs|× faster|rows tried))|(?<=scikit-learn )\d[\d.]*|(?<=difference )\d[\d.e+-]*")
SECONDS = 300  # for a command, or until a server is ready


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command as documented, and what it is shown to print."""

    text: str
    shown: str


def commands(page: Path) -> list[Command]:
    found = []
    text = page.read_text(encoding="utf-8")
    for block in re.finditer(r"(<!-- not run: .+? -->\n+)?```console\n(.*?)```", text, re.DOTALL):
        if block[1]:
            continue
        for part in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            count = next(index for index, line in enumerate(lines, 1) if not line.endswith("\\\n"))
            found.append(Command("".join(lines[:count]).strip(), "".join(lines[count:])))
    return found


@pytest.mark.parametrize("name", REFERENCE["PAGES"])
def test_a_generated_page_is_as_generated_now(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == REFERENCE["page"](name), f"docs/{name} is behind the code: make docs"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for row in dataclasses.fields(Settings):
        assert f"`{row.name}`" in page
        assert variable(row.name) in page


def test_every_error_is_documented_with_its_codes() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for each in REFERENCE["every_error"](errors.FlaskshipError):
        assert re.search(rf"`{each.__name__}` .*\| {each.exit_code} \| {each.status} \| {each.title} \| \w.+\|", page)


def test_the_changelog_has_an_unreleased_section_or_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## Unreleased$", text, re.MULTILINE)
    assert all(line.startswith(("#", "-", "  ")) or not line for line in text.partition("## ")[2].splitlines()[1:])


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/README.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def tracked_text() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split("\0")[:-1]:
        if (ROOT / name).is_file():
            yield name, (ROOT / name).read_bytes().decode("utf-8", "replace")


@pytest.mark.needs("git")
def test_no_file_names_a_package_registry_or_a_place_of_one_machine() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "deb" + ".debian.org", "registry." + "npmjs.org"]
    places = "|".join(["wo" + "rk", "ro" + "ot/", "fa" + "rm", "opt/wh" + "eels", "opt/py" + "pi", "ho" + "me/[a-z]"])
    pattern = re.compile("|".join(map(re.escape, hosts)) + rf"|(?<![\w.}}])/(?:{places})\b")
    found = [f"{name}: {line}" for name, text in tracked_text() for line in text.splitlines() if pattern.search(line)]
    assert not found


def compared(text: str) -> str:
    """Without what varies: times, and the last digits of numbers, which depend on the processor."""
    return "".join(DECIMAL.sub(lambda found: f"{float(found[0]):.6g}", VARYING.sub("#", text)).split())


def fits(printed: str, shown: str) -> bool:
    """Whether `printed` is as `shown`, in which `...` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("..."))), printed) is not None


class Shell:
    """Runs a page's commands in `folder`, with this environment's programs first on the path."""

    def __init__(self, folder: Path) -> None:
        self.port = str(free_port())
        self.folder, self.servers = folder, list[subprocess.Popen[bytes]]()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FLASKSHIP_")}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = clean | {
            "PATH": path,
            "COLUMNS": "100",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "FLASKSHIP_PORT": self.port,
            "LC_ALL": "C.UTF-8",
        }

    def run(self, command: str) -> str:
        """What `command` prints. Fails where it fails, unless it says why in a sentence of ours."""
        text = command.replace(":8000", f":{self.port}")
        if text.startswith("flaskship serve"):
            return self.serve(text).replace(f":{self.port}", ":8000")
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {text}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        return done.stdout.decode().replace(f":{self.port}", ":8000")

    def serve(self, text: str) -> str:
        """Starts a server in place of the last, and gives what it says until it is ready."""
        self.stop()
        server = subprocess.Popen(shlex.split(text), cwd=self.folder, env=self.environment, stderr=subprocess.PIPE)
        self.servers.append(server)
        assert server.stderr is not None
        said = ""
        for line in server.stderr:
            said += line.decode()
            if line.startswith(b"Serving "):
                return said
        raise AssertionError(said)

    def stop(self) -> None:
        while self.servers:
            server = self.servers.pop()
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=SECONDS)


@pytest.fixture
def shell(sales: Path, petrol: Path, tmp_path: Path) -> Iterator[Shell]:
    for folder in (sales, petrol):
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for name in ("sales", "petrol"):
        (tmp_path / "examples" / name).mkdir(parents=True)
        shutil.copy(ROOT / "examples" / name / "train.py", tmp_path / "examples" / name)
    shell = Shell(tmp_path)
    yield shell
    shell.stop()


@pytest.mark.needs("bash", "curl")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, shell: Shell) -> None:
    for command in commands(page):
        printed = shell.run(command.text)
        assert fits(compared(printed), compared(command.shown)), (
            f"$ {command.text}\n{printed}\n- shown:\n{command.shown}"
        )


def test_the_python_of_docs_python_runs(shell: Shell) -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    (shell.folder / "program.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-W", "error", "program.py"]
    done = subprocess.run(command, cwd=shell.folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
