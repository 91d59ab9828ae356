"""Images read from a store: pixels, fingerprints and sizes, against those of memory and of Pillow."""

import io

import numpy as np
import pytest
import tensorflow as tf
from judges.stores import ARRAYS, encoded, photo
from PIL import Image

import qssl_tf as q
from qssl_tf.data.splits import BY_IMAGE


@pytest.mark.parametrize("quality", [40, 92, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_tensorflow_decodes_jpegs_as_pillow_does(quality, subsampling, progressive):
    for side in (16, 37, 64):
        jpeg = encoded(photo(side, side), quality=quality, subsampling=subsampling, progressive=progressive)
        decoded = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
        np.testing.assert_array_equal(decoded, np.asarray(Image.open(io.BytesIO(jpeg))))


def test_fingerprints_of_one_kind_are_made_of_either(photos, tmp_path, capsys):
    memory, stored = q.ImageData.from_folder(photos).train, q.make_store(photos, tmp_path / "store").train
    assert stored.fingerprint().startswith(BY_IMAGE) and not memory.fingerprint().startswith(BY_IMAGE)
    capsys.readouterr()
    assert memory.has_fingerprint(stored.fingerprint())
    assert capsys.readouterr().out == ""
    assert stored.has_fingerprint(memory.fingerprint())
    assert capsys.readouterr().out == (
        f"{len(stored)} stored images are read once, to compare them with those of a run in memory\n"
    )
    other = stored.take(np.r_[1, 0, 2 : len(stored)])
    assert not other.has_fingerprint(memory.fingerprint()) and not memory.has_fingerprint(other.fingerprint())


def test_a_stores_images_have_the_size_they_were_made_with(tmp_path):
    from qssl_tf.data.sources import prepare

    data = q.make_store(ARRAYS, tmp_path / "store")
    assert prepare(data, q.Config(image_size=16, batch_size=2)).image_shape == (16, 16, 3)
    with pytest.raises(q.UserError) as error:
        prepare(data, q.Config(image_size=8, batch_size=2))
    assert str(error.value) == (
        "stored images of store must be 8 x 8 pixels here; they have 16 x 16 pixels: make a store with that "
        "`image_size`, as their size is fixed when it is made."
    )
