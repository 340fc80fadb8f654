"""Pictures as people send them, and as people break them."""

from __future__ import annotations

import base64
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flaskship.errors import BadInput, Overloaded
from flaskship.predict import images
from flaskship.predict.codec import Codec
from flaskship.predict.uploads import Upload
from flaskship.schema import Field, FieldType, Signature, Task

CODEC = Codec(Signature(task=Task.FUNCTION, inputs=(Field(name="image", type=FieldType.IMAGE, boxed=True),)))
QUARTERS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8).repeat(8, 0).repeat(8, 1)


def saved(picture: Image.Image, format: str = "PNG", **how: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **how)
    return out.getvalue()


def read(content: bytes, name: str = "a.png") -> Image.Image:
    """As an upload; what a data URL gives must be the same."""
    sent = CODEC.decode_pairs([("image", Upload(name="image", filename=name, body=memoryview(content)))])
    url = CODEC.decode(b'{"image":"data:;base64,%s"}' % base64.b64encode(content))
    first, second = (each.columns["image"][0] for each in (sent, url))
    assert (first.mode, first.size, first.tobytes()) == (second.mode, second.size, second.tobytes())
    return first


def refused(content: bytes, name: str = "a.png") -> str:
    with pytest.raises(BadInput) as caught:
        CODEC.decode_pairs([("image", Upload(name="image", filename=name, body=content))])
    assert caught.value.status == 422
    assert [each.at for each in caught.value.problems] == ["image"]
    return caught.value.detail


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        (saved(Image.fromarray(QUARTERS)), "RGB"),
        (saved(Image.fromarray(QUARTERS), "WEBP", lossless=True), "RGB"),
        (saved(Image.fromarray(QUARTERS).convert("P"), "GIF"), "P"),
        (saved(Image.fromarray(QUARTERS).convert("P")), "P"),
        (saved(Image.fromarray(QUARTERS).convert("RGBA")), "RGBA"),
        (saved(Image.fromarray(QUARTERS), "BMP"), "RGB"),
        (saved(Image.fromarray(QUARTERS), "TIFF"), "RGB"),
        (saved(Image.fromarray(QUARTERS), "GIF", save_all=True, append_images=[Image.new("RGB", (16, 16))]), "RGB"),
    ],
)
def test_each_format_is_decoded_in_the_mode_that_it_has(content, mode):
    found = read(content)
    assert (found.size, found.mode in (mode, "P")) == ((16, 16), True)
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), QUARTERS)


def test_sixteen_bits_stay_sixteen_bits():
    deep = np.array([[0, 1000], [40000, 65535]], np.uint16)
    np.testing.assert_array_equal(np.asarray(read(saved(Image.fromarray(deep)))), deep)


def test_one_pixel_is_a_picture():
    assert read(saved(Image.new("L", (1, 1), 7))).getpixel((0, 0)) == 7


STORED = {  # by EXIF's orientation: what a camera keeps of an upright picture
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("turned", STORED)
def test_a_photograph_stands_as_its_exif_says(turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    camera = Image.fromarray(np.ascontiguousarray(STORED[turned](QUARTERS)))
    found = read(saved(camera, "JPEG", exif=exif, quality=95, subsampling=0))
    middles = np.asarray(found)[4::8, 4::8].astype(int) - QUARTERS[4::8, 4::8]
    assert np.abs(middles).max() < 10
    assert found.format == "JPEG"


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_picture_that_is_cut_off_is_refused(format, share):
    whole = saved(Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)), format)
    assert refused(whole[: int(len(whole) * share)]).startswith("'image' ")


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n"]
)
def test_what_is_no_picture_is_refused_whatever_its_name(content):
    assert "takes a picture, such as PNG" in refused(content)


def test_a_bomb_is_refused_before_it_is_decoded():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (10_000, 20_000):  # 100 and 400 million pixels
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        assert "89,478,485 pixels" in refused(bomb)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as Pillow's own is, outside of tests
            assert "89,478,485 pixels" in refused(bomb)


def test_an_author_may_allow_larger_pictures(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3)
    assert "at most 3 pixels" in refused(saved(Image.new("L", (2, 2))))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert read(saved(Image.new("L", (2, 2)))).size == (2, 2)


def test_an_icon_with_a_larger_picture_than_it_says_is_refused(monkeypatch):
    icon = bytearray(saved(Image.new("RGB", (64, 64)), "ICO", sizes=[(64, 64)]))
    icon[6:8] = 16, 16
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a server
        assert "has 64 × 64 pixels" in refused(bytes(icon))


def test_large_pictures_of_all_requests_have_room_for_some_at_once(monkeypatch):
    monkeypatch.setattr(images, "ROOM", images.Room())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", images.LARGE)
    large, small = (saved(Image.new("1", (4096, height))) for height in (4096, 4095))
    held = [images.read(large, "image") for _ in range(4)]
    assert images.read(small, "image").size == (4096, 4095)
    with pytest.raises(Overloaded, match="67,108,864 pixels already"):
        images.read(large, "image")
    del held[0]
    assert images.read(large, "image").size == (4096, 4096)


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "ICO", "PPM", "TGA"]))
def test_damage_is_a_sentence(noise, format):
    content = bytearray(saved(Image.fromarray(QUARTERS), format))
    start = len(content) // 3
    content[start : start + len(noise)] = noise
    try:
        images.read(bytes(content), "image")
    except ValueError as error:
        assert str(error).startswith("'image' ")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B"]
)
def test_a_picture_of_any_mode_is_written(mode, format):
    assert images.read(images.content(Image.new(mode, (3, 2)), format), "back").size == (3, 2)
