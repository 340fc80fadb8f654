"""Against Debian's docker-registry, through a proxy that counts bytes and breaks connections."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import requests
from containers import DEADLINE

from flaskship.errors import DigestMismatch, LoginRefused, RegistryError
from flaskship.image import spec
from flaskship.image.auth import Credentials
from flaskship.image.client import Client
from flaskship.image.ref import Ref
from flaskship.image.registry import Download, Registry
from flaskship.image.spec import Blob, Image, Platform

MakeImage = Callable[..., Image]
NOISE = random.Random(4).randbytes(3 << 20)


@pytest.fixture(autouse=True)
def _no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


OPENED: list[Client] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def at(address: str, **more: object) -> Registry:
    OPENED.append(Client(address, plain=True, pause=0.01, **more))  # type: ignore[arg-type]
    return Registry(OPENED[-1])


def how(target: Registry) -> dict[str, str]:
    return {each.digest: each.how for each in target.sent}


def test_what_was_pushed_is_found_by_tag_and_by_digest(registry: str, image: MakeImage) -> None:
    pushed = image(b"one", b"two", Labels={"a": "b"})
    ref = Ref.parse(f"{registry}/me/found:1.0")
    assert at(registry).publish(pushed, ref) == f"{ref}@{pushed.digest}"
    for each in (ref, ref.at(pushed.digest)):
        found = at(registry).find(each)
        assert found.digest == pushed.digest
        assert found.labels == {"a": "b"}
        assert [layer.read() for layer in found.layers] == [b"one", b"two"]


def test_a_second_push_sends_no_blob(registry: str, image: MakeImage) -> None:
    ref = Ref.parse(f"{registry}/me/twice:1.0")
    at(registry).publish(image(b"twice"), ref)
    again = at(registry)
    again.publish(image(b"twice"), ref)
    assert set(how(again).values()) == {"there"}


def test_only_the_layer_that_changed_goes_over_the_wire(wire, image: MakeImage) -> None:
    ref = Ref.parse(f"127.0.0.1:{wire.port}/me/changed:1.0")
    at(ref.registry).publish(image(NOISE, b"weights"), ref)
    before = wire.received
    at(ref.registry).publish(image(NOISE, b"other weights"), ref)
    assert wire.received - before < 20_000


def test_a_layer_of_another_repository_is_mounted(registry: str, image: MakeImage) -> None:
    base = Ref.parse(f"{registry}/base/python:1")
    at(registry).publish(image(NOISE[:1000]), base)
    layer = at(registry).find(base).layers[0]
    made = spec.image(Blob.of(b"{}", spec.CONFIG), (layer,), {})
    target = at(registry)
    target.publish(made, Ref.parse(f"{registry}/me/mounted:1"))
    assert how(target)[layer.digest] == "mounted"


class Half(BaseHTTPRequestHandler):
    """One upload as the specification has it, which loses the connection in the middle and keeps what came."""

    got = bytearray()
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self._say(202, Location="/v2/me/x/blobs/uploads/1")

    def do_GET(self) -> None:
        self._say(204, Location="/v2/me/x/blobs/uploads/1", Range=f"0-{len(self.got) - 1}")

    def do_PATCH(self) -> None:
        assert self.headers["Content-Range"].partition("-")[0] == str(len(self.got))
        length = int(self.headers["Content-Length"])
        if not self.got:
            self.got += self.rfile.read(1 << 20)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.got += self.rfile.read(length)
            self._say(202, Location="/v2/me/x/blobs/uploads/1")

    def do_PUT(self) -> None:
        assert self.path.endswith(spec.sha256(bytes(self.got)).replace(":", "%3A"))
        self._say(201)

    def _say(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Elsewhere(BaseHTTPRequestHandler):
    """A registry that wants a password, and says that uploads go to the same place by another name."""

    told: ClassVar[dict[str, str | None]] = {}  # host -> Authorization

    def do_POST(self) -> None:
        port = self.server.server_address[1]
        if self.headers["Authorization"]:
            return self._say(202, "Location", f"http://localhost:{port}/store")
        return self._say(401, "WWW-Authenticate", "Basic")

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.told[self.headers["Host"].partition(":")[0]] = self.headers["Authorization"]
        self._say(202)

    def do_PUT(self) -> None:
        self._say(201)

    def _say(self, status: int, name: str = "Content-Type", value: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_a_store_that_is_not_the_registry_is_told_no_password() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ref = Ref.parse(f"127.0.0.1:{server.server_port}/me/x:1")
        target = at(ref.registry, given=Credentials(user="harbour", secret="master"))
        blob = Blob.of(NOISE[:1000], spec.LAYER_GZIP)
        target._send_blob(ref, blob, target._begin(ref, blob, ""), "", lambda count: None)
        server.shutdown()
    assert Elsewhere.told == {"localhost": None}


def test_an_upload_that_breaks_goes_on_where_the_registry_says() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Half) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ref = Ref.parse(f"127.0.0.1:{server.server_port}/me/x:1")
        target = at(ref.registry)
        location = target._begin(ref, Blob.of(NOISE, ""), "")
        target._send_blob(ref, Blob.of(NOISE, spec.LAYER_GZIP), location, "", lambda count: None)
        server.shutdown()
    assert bytes(Half.got) == NOISE


def test_a_registry_that_forgets_a_broken_upload_is_sent_it_again(wire, image: MakeImage) -> None:
    ref = Ref.parse(f"127.0.0.1:{wire.port}/me/broken:1.0")
    wire.cuts = [2 << 20, 1 << 19]
    pushed = image(NOISE[::-1])
    at(ref.registry).publish(pushed, ref)
    assert at(ref.registry).find(ref).layers[0].read() == NOISE[::-1]


def test_a_push_that_never_gets_through_says_so_and_leaves_no_image(wire, image: MakeImage) -> None:
    ref = Ref.parse(f"127.0.0.1:{wire.port}/me/never:1.0")
    wire.cuts = [1 << 16] * 100
    with pytest.raises(RegistryError, match=f"Cannot reach the registry '{ref.registry}'"):
        at(ref.registry).publish(image(NOISE[1:]), ref)
    wire.cuts = []
    with pytest.raises(RegistryError, match="No image"):
        at(ref.registry).find(ref)
    at(ref.registry).publish(image(NOISE[1:]), ref)
    assert at(ref.registry).find(ref).layers[0].size == len(NOISE) - 1


def test_a_download_that_breaks_goes_on_where_it_was(registry: str, image: MakeImage) -> None:
    ref = Ref.parse(f"{registry}/me/download:1.0")
    at(registry).publish(image(NOISE[2:]), ref)
    found = at(registry)
    layer = found.find(ref).layers[0]
    asked = []

    def ask(offset: int) -> requests.Response:
        asked.append(offset)
        response = found._ranged(ref, layer.digest, offset)
        whole = response.iter_content
        if len(asked) == 1:
            response.iter_content = lambda size: broken(whole(size))  # type: ignore[method-assign, assignment]
        return response

    def broken(chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield next(chunks)
        raise requests.ConnectionError("broken")

    with io.BufferedReader(Download(ask, layer.size)) as file:
        assert file.read() == NOISE[2:]
    assert asked == [0, 1 << 20]


def test_several_platforms_are_one_name(registry: str, image: MakeImage) -> None:
    ref = Ref.parse(f"{registry}/me/many:1.0")
    many = spec.index({Platform.parse(f"linux/{each}"): image(each.encode()) for each in ("amd64", "arm64")}, {})
    at(registry).publish(many, ref)
    found = at(registry).find(ref)
    assert [each.layers[0].read() for each in found.images] == [b"amd64", b"arm64"]


def test_an_sbom_is_found_by_its_subject(registry: str, image: MakeImage) -> None:
    ref = Ref.parse(f"{registry}/me/attached:1.0")
    subject = image(b"subject")
    sbom = spec.attachment(subject, b"{}", "application/vnd.cyclonedx+json")
    for _ in range(2):
        at(registry).publish(replace(subject, attached=(sbom,)), ref)
    tag = subject.digest.replace(":", "-")
    with requests.get(
        f"http://{registry}/v2/me/attached/manifests/{tag}", headers={"Accept": spec.INDEX}, timeout=DEADLINE
    ) as response:
        listed = response.json()["manifests"]
    assert [each["digest"] for each in listed] == [sbom.digest]
    assert at(registry).find(ref).digest == subject.digest


def test_a_registry_that_wants_a_login_refuses_without(guarded: str, image: MakeImage) -> None:
    with pytest.raises(LoginRefused, match=f"flaskship login {guarded}"):
        at(guarded).publish(image(b"x"), Ref.parse(f"{guarded}/me/x:1"))


def test_a_wrong_password_is_refused(guarded: str) -> None:
    with pytest.raises(LoginRefused, match="401"):
        at(guarded, given=Credentials(user="harbour", secret="pilot")).check()


def test_dockers_own_credentials_are_taken(guarded: str, image: MakeImage, tmp_path: Path) -> None:
    auth = base64.b64encode(b"harbour:master").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {guarded: {"auth": auth}}}))
    ref = Ref.parse(f"{guarded}/me/x:1")
    at(guarded).publish(image(b"x"), ref)
    assert at(guarded).find(ref).layers[0].read() == b"x"


def test_a_credential_helper_is_asked(guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-pier"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\": \\"harbour\\", \\"Secret\\": \\"master\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {guarded: "pier"}}))
    at(guarded).check()


def test_a_helper_that_is_not_there_is_named(guarded: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "sunken"}))
    with pytest.raises(RegistryError, match=r"docker-credential-sunken.* not installed"):
        at(guarded).check()


def test_a_registry_that_is_not_there_is_an_error_of_one_sentence() -> None:
    with pytest.raises(RegistryError, match=r"Cannot reach the registry '127.0.0.1:1': .*refused"):
        at("127.0.0.1:1").check()


def test_an_image_that_is_not_there_is_named(registry: str) -> None:
    with pytest.raises(RegistryError, match=f"No image '{registry}/me/none:1'"):
        at(registry).find(Ref.parse(f"{registry}/me/none:1"))


def test_bytes_that_are_not_what_the_digest_says_are_not_kept(registry: str, image: MakeImage, store) -> None:
    ref = Ref.parse(f"{registry}/me/false:1")
    at(registry).publish(image(b"true"), ref)
    layer = at(registry).find(ref).layers[0]
    false = Blob(digest=spec.sha256(b"false"), size=layer.size, open=layer.open)
    with pytest.raises(DigestMismatch, match=r"4 bytes came for sha256:"):
        store.layout.put(false)
    assert not store.layout.has(false.digest)
    assert not [each for each in store.layout.path.rglob("*") if each.is_file()]
