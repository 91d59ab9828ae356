"""Cosines, sines and their products against NumPy, and against circuits without gates."""

import itertools

import numpy as np
import pytest

from qssl_tf.config import Config
from qssl_tf.models.heads import build_head
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.models.trigonometric import TrigonometricFeatures, neighbour_products


def angles(rows, width):
    return np.random.default_rng(0).uniform(0, np.pi, (rows, width)).astype(np.float32)


def test_36_features_of_8_angles_by_hand():
    """8 cosines, 8 sines, of neighbours in the ring 8 products of cosines, 8 of sines, and 4 of a cosine and a sine."""
    x = angles(5, 8)
    c, s = np.cos(x), np.sin(x)

    def after(values):
        return np.roll(values, -1, axis=1)

    judge = np.concatenate([c, s, c * after(c), s * after(s), (c * after(s))[:, :4]], axis=1)
    head = build_head(Config(head="trigonometric", head_features=36))
    np.testing.assert_allclose(head(x), judge, atol=1e-6)
    assert head.compute_output_shape((None, 8)) == (None, 36) and not head.weights


def test_as_many_features_as_angles_are_the_cosines_alone():
    x = angles(5, 4)
    np.testing.assert_allclose(
        build_head(Config(head="trigonometric", width=4, head_features=4))(x), np.cos(x), atol=1e-6
    )


@pytest.mark.parametrize("width", range(1, 9))
def test_products_are_all_pairs_of_other_angles_and_each_once(width):
    products = neighbour_products(width, 10_000)
    judge = {
        frozenset(pair) for pair in itertools.combinations(range(2 * width), 2) if (pair[0] - pair[1]) % width != 0
    }
    assert len(products) == len(judge) == 2 * width**2 - 2 * width and set(map(frozenset, products)) == judge
    assert Config(head="trigonometric", width=width, head_features=2 * width**2)


def test_products_of_neighbours_are_what_an_unentangled_circuit_measures():
    """<Z_i Z_j> of a product state is the product of cosines, <Y_i Y_j> that of sines."""
    x = angles(4, 4)
    features = TrigonometricFeatures(16)(x).numpy()
    for first, letter in ((8, "Z"), (12, "Y")):
        words = ",".join(f"{letter}{i}{letter}{(i + 1) % 4}" for i in range(4))
        circuit = QuantumHead(4, "none", 1, observables=words)
        circuit.build((None, 4))
        circuit.parameters.assign(np.zeros(circuit.parameters.shape))
        np.testing.assert_allclose(features[:, first : first + 4], circuit(x), atol=1e-5)
