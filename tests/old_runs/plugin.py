"""The small encoder of one's own with which the runs of this folder were made."""

import keras

import qssl_tf as q


@q.register_encoder("tiny")
def tiny(image_shape):
    """Return a network of 40 weights."""
    return keras.Sequential(
        [keras.Input(image_shape), keras.layers.Conv2D(4, 3, 2, activation="relu"), keras.layers.Flatten()]
    )
