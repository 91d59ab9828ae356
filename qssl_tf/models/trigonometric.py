"""Fixed cosines and sines of the angles and products of two of them: what a circuit measures, chosen in advance."""

from typing import Any

import keras


def neighbour_products(width: int, count: int) -> list[tuple[int, int]]:
    """Return the first products in a fixed order, which no data and no seed decide.

    Pairs of angles come by their distance in the ring, neighbours first, as the ring circuit entangles them; of each
    distance first cosine times cosine, then sine times sine, cosine times sine and sine times cosine.

    Args:
        width: Number of angles.
        count: Number of products.

    Returns:
        Two places each among the 2 * width cosines (first) and sines.
    """
    products = []
    for distance in range(1, width // 2 + 1):
        firsts = range(width if 2 * distance < width else width // 2)  # opposite angles are a pair only once
        for left, right in ((0, 0), (width, width), (0, width), (width, 0)):
            products += [(first + left, (first + distance) % width + right) for first in firsts]
    return products[:count]


@keras.saving.register_keras_serializable(package="qssl_tf")
class TrigonometricFeatures(keras.layers.Layer):
    """The cosines of all angles, then their sines, then products of two: a circuit's functions, without any weights.

    Input: angles in radians, shape (n, width). Output: shape (n, features), within [-1, 1].

    Args:
        features: How many, in that order: `width` takes the cosines alone, up to 2 * width**2; None takes all cosines
            and sines.
        **kwargs: Arguments of every Keras layer.
    """

    def __init__(self, features: int | None = None, **kwargs: Any):
        """Keep the number of features."""
        super().__init__(**kwargs)
        self.features = features

    def call(self, inputs):
        """Return the features."""
        width = inputs.shape[1]
        features = self.compute_output_shape(inputs.shape)[1]
        single = keras.ops.concatenate([keras.ops.cos(inputs), keras.ops.sin(inputs)], axis=1)
        if features <= 2 * width:
            return single[:, :features]
        left, right = zip(*neighbour_products(width, features - 2 * width), strict=True)
        products = keras.ops.take(single, left, axis=1) * keras.ops.take(single, right, axis=1)
        return keras.ops.concatenate([single, products], axis=1)

    def compute_output_shape(self, input_shape):
        """Return (n, features)."""
        return (input_shape[0], 2 * input_shape[1] if self.features is None else self.features)

    def get_config(self):
        """Return the arguments."""
        return super().get_config() | {"features": self.features}
