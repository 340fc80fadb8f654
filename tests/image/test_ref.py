from __future__ import annotations

import pytest

from flaskship.errors import UsageError
from flaskship.image.ref import Ref

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("sales", "docker.io/library/sales:latest"),
        ("me/sales:1.0", "docker.io/me/sales:1.0"),
        ("index.docker.io/me/sales", "docker.io/me/sales:latest"),
        ("localhost/sales:1", "localhost/sales:1"),
        ("localhost:5000/me/sales:1.0", "localhost:5000/me/sales:1.0"),
        ("registry.example/a/b/c:x", "registry.example/a/b/c:x"),
        (f"me/sales@{DIGEST}", f"docker.io/me/sales@{DIGEST}"),
        (f"me/sales:1@{DIGEST}", f"docker.io/me/sales:1@{DIGEST}"),
        ("[::1]:5000/sales", "[::1]:5000/sales:latest"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, full: str) -> None:
    ref = Ref.parse(text)
    assert ref.full == full
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sales",
        "me/",
        "me//sales",
        "sales:",
        "sales@",
        "sales@sha256:12",
        "a b",
        "sales:la test",
        "me/sales:" + "x" * 129,
    ],
)
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is no reference to an image"):
        Ref.parse(text)


@pytest.mark.parametrize(
    ("text", "local"),
    [("localhost:5000/x", True), ("127.0.0.1/x", True), ("[::1]:1/x", True), ("localhost.example/x", False)],
)
def test_only_this_machine_is_local(text: str, local: bool) -> None:
    assert Ref.parse(text).local is local
