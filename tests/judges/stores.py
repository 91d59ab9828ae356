"""Made-up photographs, and what a store is compared with."""

import io

import numpy as np
from PIL import Image


def photo(number, side=16, gray=False):
    """Smooth random pixels, which JPEG keeps in a few bytes."""
    rng = np.random.default_rng(number)
    waves = np.cumsum(np.cumsum(rng.normal(0, 3, (side, side, 3)), axis=0), axis=1)
    pixels = np.clip(128 + waves, 0, 255).astype(np.uint8)
    return pixels[..., 0] if gray else pixels


def encoded(pixels, kind="JPEG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def assert_same(stored, memory):
    assert stored.class_names == memory.class_names and stored.image_shape == memory.image_shape
    for name in ("train", "validation", "test"):
        one, other = getattr(stored, name), getattr(memory, name)
        np.testing.assert_array_equal(np.asarray(one.images), other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


def shards(folder):
    return sorted(folder.glob("images-*.array_record"))


def flip(path, place, bit=4):
    content = bytearray(path.read_bytes())
    content[place] ^= bit
    path.write_bytes(content)


ARRAYS = np.stack([photo(number) for number in range(20)])
LABELS = np.arange(20) % 3
