"""Where an encoder is cut, judged by Keras, which refuses a graph that is cut elsewhere, and by trying all cuts."""

from itertools import chain, combinations, pairwise

import keras
import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.models import blocks
from qssl_tf.models.encoders import build_encoder

layers = keras.layers


def residual():
    """Two convolutions with a shortcut, between single layers; the last layer sees an early one as well."""
    images = keras.Input((8, 8, 3))
    first = layers.Conv2D(4, 3, padding="same", name="first")(images)
    second = layers.BatchNormalization(name="second")(first)
    inner = layers.Conv2D(4, 3, padding="same", name="inner")(second)
    added = layers.Add(name="added")([second, inner])
    pooled = layers.GlobalAveragePooling2D(name="pooled")(added)
    early, late = layers.Dense(3, name="early")(pooled), layers.Dense(3, name="late")(pooled)
    return keras.Model(images, layers.Concatenate(name="both")([early, late]))


def is_passage(model, layer):
    """Whether Keras makes a model from a layer's output to the end."""
    try:
        keras.Model(layer.output, model.outputs)
    except ValueError:
        return False
    return True


def test_passages_are_where_keras_finds_the_graph_whole():
    model = residual()
    found = [model.layers[place].name for place in blocks._passages(model.get_config()["layers"])]
    assert found == ["first", "second", "added", "pooled"]
    assert found == [layer.name for layer in model.layers[1:-1] if is_passage(model, layer)]


@pytest.mark.parametrize("seed", range(5))
def test_no_other_cuts_need_less(seed):
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.integers(1, 100, 11)]
    passages = sorted(int(place) for place in rng.choice(np.arange(1, 10), 6, replace=False))

    def needed(cuts):
        ends = [0, *cuts, 10]
        largest = max(sum(sizes[first + 1 : last + 1]) for first, last in pairwise(ends))
        return sum(sizes[cut] for cut in cuts) + blocks.WITHIN * largest

    every = chain.from_iterable(combinations(passages, count) for count in range(7))
    assert needed(blocks._best_cuts(sizes, passages)) == min(map(needed, every))


def test_the_blocks_of_a_resnet_are_the_resnet():
    encoder = build_encoder("resnet18", (32, 32, 3), 4, seed=0)
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("f")
    parts = blocks.blocks_of(encoder)
    assert len(parts) > 3
    x = images
    for part in parts:
        x = part(x)
    np.testing.assert_array_equal(x, encoder(images))
    own = [id(variable) for part in parts for variable in part.variables]
    assert sorted(own) == sorted(map(id, encoder.variables))


def test_what_has_no_blocks_is_refused():
    encoder = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten()], name="flat")
    with pytest.raises(q.UserError) as caught:
        blocks.blocks_of(encoder)
    assert str(caught.value) == (
        "`recompute_blocks=True` needs an encoder of Keras layers with places where all passes through one of them; "
        "got <Sequential name=flat, built=True> (there is no such place); take `chunk_size`."
    )
