from __future__ import annotations

import gzip
import io
import json
import zlib

import pytest

from flaskship.errors import NotJSON, TooLarge, UnsupportedContent
from flaskship.web import reply

LIMIT = 1000


class Dribble(io.BytesIO):
    """Gives a few bytes at a time, as a socket may."""

    def read(self, size: int = -1) -> bytes:
        return super().read(min(size, 7))


def environ(data: bytes, *, length: object = None, **more: object) -> dict[str, object]:
    return {"wsgi.input": Dribble(data), "CONTENT_LENGTH": str(len(data) if length is None else length), **more}


def chunked(data: bytes, **more: object) -> dict[str, object]:
    return {"wsgi.input": Dribble(data), "wsgi.input_terminated": True, **more}


@pytest.mark.parametrize("way", [environ, chunked])
def test_a_body_is_read_whole(way):
    data = bytes(range(256)) * 3
    assert reply.body(way(data), LIMIT) == data


@pytest.mark.parametrize("way", [environ, chunked])
def test_a_body_of_the_limit_is_read_and_one_byte_more_refused(way):
    assert len(reply.body(way(b"x" * LIMIT), LIMIT)) == LIMIT
    with pytest.raises(TooLarge, match="max_body"):
        reply.body(way(b"x" * (LIMIT + 1)), LIMIT)


def test_a_body_over_the_limit_is_not_even_read():
    given = environ(b"x" * 5000)
    with pytest.raises(TooLarge):
        reply.body(given, LIMIT)
    assert given["wsgi.input"].tell() == 0


def test_without_a_length_and_an_end_there_is_no_body():
    assert reply.body({"wsgi.input": Dribble(b"abc")}, LIMIT) == b""


def test_a_body_that_ends_early_is_no_body():
    with pytest.raises(NotJSON, match="ended after 3 of 10 bytes"):
        reply.body(environ(b"abc", length=10), LIMIT)


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "+5", "\u0661", "9" * 5000])
def test_a_content_length_that_is_no_number_is_refused(length):
    with pytest.raises((NotJSON, TooLarge)):
        reply.body(environ(b"abc", length=length), LIMIT)


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    " GZip ": gzip.compress,
}


@pytest.mark.parametrize("encoding", PACK)
def test_a_packed_body_is_unpacked(encoding):
    data = b'{"age": 45}' * 20
    assert reply.body(environ(PACK[encoding](data), HTTP_CONTENT_ENCODING=encoding), LIMIT) == data


def test_a_gzip_of_several_members_is_unpacked_whole():
    assert reply.inflated(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", LIMIT) == b"one two"


def test_a_gzip_of_empty_members_takes_time_in_proportion():
    member = gzip.compress(b"")  # copying what is left at each of them would move 50 GB
    assert reply.inflated(member * 70_000 + gzip.compress(b"end"), "gzip", LIMIT) == b"end"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_goes_off(encoding):
    bomb = PACK[encoding](b"0" * 10**8)
    with pytest.raises(TooLarge, match="unpacks to more"):
        reply.inflated(bomb, encoding, 10**5)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("part", [slice(-5), slice(12), slice(1), slice(3, None)])
def test_what_does_not_unpack_is_refused(encoding, part):
    packed = PACK[encoding](bytes(range(99)))
    with pytest.raises(NotJSON):
        reply.inflated(packed[part], encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_another_encoding_is_refused(encoding):
    with pytest.raises(UnsupportedContent, match="gzip, deflate"):
        reply.inflated(b"x", encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_prediction_is_answered(client, row, encoding):
    data = PACK[encoding](json.dumps(row).encode())
    headers = {"Content-Encoding": encoding}
    answer = client.post("/predict", data=data, content_type="application/json", headers=headers)
    assert answer.json["prediction"] == "leaves"


def test_a_multipart_form_is_read_as_a_browser_sends_it(client):
    form = {"age": "45", "new_user": "true", "total pages": "", "land": "de"}
    assert client.post("/predict", data=form, content_type="multipart/form-data").json["prediction"] == "leaves"


def test_a_file_in_the_form_is_sent_to_its_own_route(client):
    answer = client.post("/predict", data={"age": (io.BytesIO(b"45"), "age.txt")})
    assert (answer.status_code, "/predict_file" in answer.json["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"junk", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n45', "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n45\r\n--x', "multipart/form-data; boundary=x"),
        (b"--x--", "multipart/form-data"),
    ],
)
def test_a_multipart_body_that_is_cut_off_is_malformed(client, data, content):
    assert client.post("/predict", data=data, content_type=content).status_code == 400


def test_a_form_of_too_many_fields_is_too_large(client):
    part = b'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n--x'
    data = b"--x\r\n" + b"\r\n".join([part] * 10_001) + b"--\r\n"
    answer = client.post("/predict", data=data, content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 413
