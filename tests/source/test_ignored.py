"""The pattern language of .dockerignore. The cases follow Docker's own: github.com/moby/patternmatcher."""

from __future__ import annotations

import pytest

from flaskship.source.ignored import Ignored, patterns


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("**", "file", True),
        ("**", "dir/file", True),
        ("**/", "file", True),
        ("**/file", "dir/dir/file", True),
        ("**/file", "file", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/**", "dir/dir2/dir2/file", True),
        ("dir/**/file", "dir/file", True),
        ("dir/**/file", "dir/a/b/file", True),
        ("**.log", "a/b/x.log", True),
        ("*.log", "a/x.log", False),
        ("*.log", "x.log", True),
        ("*/*.log", "a/x.log", True),
        ("*/*.log", "a/b/x.log", False),
        ("dir", "dir/a/b", True),
        ("dir/", "dir/a", True),
        ("/dir", "dir/a", True),
        ("./dir", "dir/a", True),
        ("a/../dir", "dir/a", True),
        ("dir", "other/dir/a", False),
        ("dir", "directory", False),
        ("fil?", "file", True),
        ("fil?", "fil/", False),
        ("[a-c]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("a.c", "abc", False),
        ("a+b(c)", "a+b(c)", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("  spaced  ", "spaced", True),
        ("# comment", "# comment", False),
        ("", "x", False),
        ("[", "[", False),
    ],
)
def test_a_pattern_matches_as_docker_has_it(pattern: str, path: str, ignored: bool) -> None:
    assert bool(Ignored(patterns([pattern])).of(path)) is ignored


@pytest.mark.parametrize(
    ("lines", "kept", "out"),
    [
        (["*", "!app.py"], ["app.py"], ["x.py", "a/app.py"]),
        (["*.md", "!README*.md", "README-secret.md"], ["README.md"], ["x.md", "README-secret.md"]),
        (["*.md", "README-secret.md", "!README*.md"], ["README-secret.md"], ["x.md"]),
        (["dir", "!dir/keep"], ["dir/keep", "dir/keep/a"], ["dir/other"]),
        (["**", "!src/**", "src/x"], ["src/a/b"], ["a", "src/x", "src/x/y"]),
        (["!a", "a"], [], ["a"]),
    ],
)
def test_the_last_pattern_that_matches_decides(lines: list[str], kept: list[str], out: list[str]) -> None:
    ignored = Ignored(patterns(lines))
    assert [path for path in kept if ignored.of(path)] == []
    assert [path for path in out if not ignored.of(path)] == []
