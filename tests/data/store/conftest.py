"""What the tests of stores share: a folder of photographs, and shards of a few images."""

import pytest
from judges.stores import encoded, photo

from qssl_tf.data.store import writing


@pytest.fixture
def photos(tmp_path):
    """Forty files of two classes, every third a PNG and every seventh gray, and one without a class."""
    for number in range(40):
        place = tmp_path / "photos" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        kind = "PNG" if number % 3 == 0 else "JPEG"
        options = {"quality": 90} if kind == "JPEG" else {}
        (place / f"{number:02d}.{kind.lower()}").write_bytes(
            encoded(photo(number, gray=number % 7 == 0), kind, **options)
        )
    (tmp_path / "photos" / "unlabelled").mkdir()
    (tmp_path / "photos" / "unlabelled" / "x.jpg").write_bytes(encoded(photo(99)))
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Shards of a few images."""
    monkeypatch.setattr(writing, "SHARD_BYTES", 4000)
