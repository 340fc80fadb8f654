"""What somebody's Dockerfile says of their app."""

from __future__ import annotations

from pathlib import Path

import pytest

from flaskship.source import dockerfile

FILE = """\
# escape=\\
ARG VERSION=3.8
FROM node:18 AS front
RUN npm run build
ENV NODE=1

FROM python:${VERSION}-slim AS base
ENV A=1 B="two words" C=it\\'s
ENV OLD the rest of the line
ENV D=${A}/${MISSING:-else} \\
    # a comment
    PATH="/opt/venv/bin:$PATH"
ARG NAME=api
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \\
      ffmpeg=7:4.1 \\
    && rm -rf /var/lib/apt/lists/*

from base
LABEL a=b
WORKDIR /srv
WORKDIR app
copy requirements.txt .
COPY --from=front /build ./static
COPY ["src", "./"]
EXPOSE 5000/tcp 9000-9001
RUN <<END
apt install -y libsm6
ENV NOT=this
END
ENTRYPOINT ["python"]
CMD ["-u", "app.py"]
"""


def read(tmp_path: Path, text: str) -> dockerfile.Dockerfile:
    (tmp_path / "Dockerfile").write_text(text)
    found = dockerfile.read(tmp_path)
    assert found
    return found


def test_the_last_stage_is_read_with_what_it_starts_from(tmp_path: Path) -> None:
    found = read(tmp_path, FILE)
    assert (found.base, found.python) == ("python:3.8-slim", "3.8")
    assert found.variables == {"A": "1", "B": "two words", "C": "it's", "OLD": "the rest of the line", "D": "1/else"}
    assert found.workdir == "/srv/app"
    assert found.command == ("python", "-u", "app.py")
    assert found.ports == (5000, 9000)
    assert found.packages == ("ffmpeg", "libgomp1", "libsm6")


def test_a_shell_line_is_a_command_of_the_shell(tmp_path: Path) -> None:
    assert read(tmp_path, "FROM x\nCMD gunicorn app:app").command == ("/bin/sh", "-c", "gunicorn app:app")


@pytest.mark.parametrize(
    ("copies", "path", "source"),
    [
        ("COPY . .", "app.py", "app.py"),
        ("COPY . /app", "/app/api/app.py", "api/app.py"),
        ("COPY src /app", ".", "src"),
        ("COPY src/ /app/", "/app/app.py", "src/app.py"),
        ("COPY api /app/api", ".", "."),
        ("COPY web/api ./api", ".", "web"),
        ("COPY app.py /app/", "app.py", "app.py"),
        ("COPY api/main.py main.py", "main.py", "api/main.py"),
        ("ADD a.py b.py ./", "b.py", "b.py"),
    ],
)
def test_a_path_of_the_image_comes_from_the_folder(tmp_path: Path, copies: str, path: str, source: str) -> None:
    assert source in read(tmp_path, f"FROM x\nWORKDIR /app\n{copies}").source(path)[:2]


def test_another_escape_is_heeded(tmp_path: Path) -> None:
    found = read(tmp_path, "# escape=`\nFROM x\nENV A=C:\\x `\n B=2\n")
    assert found.env["B"] == "2"


def test_no_dockerfile_is_none(tmp_path: Path) -> None:
    assert dockerfile.read(tmp_path) is None
    (tmp_path / "Dockerfile").write_text("# nothing\n")
    assert dockerfile.read(tmp_path) is None
