"""Tests of overlaps: their circuits on Cirq's simulator, and the statistics of their shots."""

import cirq
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from qssl_tf.errors import UserError
from qssl_tf.quantum.overlap_tests import (
    OTHER,
    OVERLAP_TESTS,
    estimated_overlaps,
    overlap_circuit,
    overlap_test,
    symmetric,
)
from qssl_tf.quantum.spec import circuit_spec


def exact_and_accepted(name, kept):
    """Return the overlap by Cirq's states, and the probability with which Cirq's simulated circuit is accepted."""
    spec = circuit_spec(2, "ring", 2, "reuploading")
    rng = np.random.default_rng(5)
    x, y, weights = rng.uniform(0, np.pi, 2), rng.uniform(0, np.pi, 2), rng.normal(size=len(spec.weights))
    shared = dict(zip(map(str, spec.weights), weights, strict=True))
    states = [
        cirq.Simulator(dtype=np.complex128)
        .simulate(spec.circuit, shared | dict(zip(map(str, spec.inputs), row, strict=True)), qubit_order=spec.qubits)
        .final_state_vector
        for row in (x, y)
    ]
    rhos = [cirq.density_matrix_from_state_vector(state, indices=kept or (0, 1)) for state in states]
    circuit, measured = overlap_circuit(spec, name, kept)
    values = shared | {str(symbol): value for symbol, value in zip(spec.inputs, x, strict=True)}
    values |= {f"{OTHER}{symbol}": value for symbol, value in zip(spec.inputs, y, strict=True)}
    order = [*measured, *sorted(circuit.all_qubits() - set(measured))]
    state = cirq.Simulator(dtype=np.complex128).simulate(circuit, values, qubit_order=order).final_state_vector
    probabilities = (abs(state) ** 2).reshape(2 ** len(measured), -1).sum(axis=1)
    outcomes = (np.arange(2 ** len(measured))[:, None] >> np.arange(len(measured))[::-1]) & 1
    return np.trace(rhos[0] @ rhos[1]).real, probabilities[OVERLAP_TESTS[name].accepts(outcomes)].sum()


@pytest.mark.parametrize(
    ("name", "kept"),
    [("inversion", ()), ("swap", ()), ("destructive_swap", ()), ("swap", (1,)), ("destructive_swap", (0,))],
)
def test_each_circuit_accepts_with_the_stated_probability(name, kept):
    overlap, accepted = exact_and_accepted(name, kept)
    assert accepted == pytest.approx(OVERLAP_TESTS[name].probability(overlap), abs=1e-6)
    assert OVERLAP_TESTS[name].overlap(accepted) == pytest.approx(overlap, abs=1e-6)


@pytest.mark.parametrize("name", OVERLAP_TESTS)
def test_estimates_are_binomial(name):
    test, shots, repeats = OVERLAP_TESTS[name], 20, 40_000
    for number, overlap in enumerate((0.0, 0.07, 0.6, 1.0)):
        exact = tf.fill([repeats], tf.constant(overlap))
        fractions = test.probability(estimated_overlaps(exact, test, shots, tf.constant([3, number])).numpy())
        counts = np.bincount(np.rint(shots * fractions).astype(int), minlength=shots + 1)
        expected = repeats * stats.binom.pmf(np.arange(shots + 1), shots, test.probability(overlap))
        np.testing.assert_allclose(counts[expected == 0], 0)
        often = expected > 5
        chi_squared = np.sum((counts[often] - expected[often]) ** 2 / expected[often])
        assert chi_squared <= stats.chi2.ppf(0.9999, max(1, often.sum() - 1))


def test_equal_seeds_give_equal_shots_and_pairs_are_measured_once():
    exact = tf.constant(np.random.default_rng(0).uniform(size=(5, 5)), tf.float32)
    test = OVERLAP_TESTS["swap"]
    first, again = (estimated_overlaps(exact, test, 10, tf.constant([1, 2])).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    mirrored = symmetric(tf.constant(first)).numpy()
    np.testing.assert_array_equal(mirrored, mirrored.T)
    np.testing.assert_array_equal(np.triu(mirrored), np.triu(first))


def test_impossible_tests_are_refused():
    with pytest.raises(UserError, match="`overlap_test` must be one of inversion, swap, d.*'swop'"):
        overlap_test("swop", 2, 2)
    with pytest.raises(UserError, match="`overlap_test` must be swap or destructive_swap where `overlap_qubits` leave"):
        overlap_test("inversion", 1, 2)
