import itertools

import cirq
import numpy as np
import pytest
from judges.cirq_values import symbol_values

from qssl_tf.quantum import hilbert_space
from qssl_tf.quantum.hilbert_space import (
    encoded_states,
    entangling_capability,
    expressibility,
    gradient_variance,
    meyer_wallach,
    pair_geometry,
)
from qssl_tf.quantum.spec import circuit_spec


def random_states(n, dimension, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, dimension)) + 1j * rng.normal(size=(n, dimension))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_states_are_cirqs():
    spec = circuit_spec(3, "ring", 2)
    rng = np.random.default_rng(0)
    inputs, weights = rng.uniform(0, np.pi, (4, 3)), rng.normal(size=len(spec.weights))
    ours = encoded_states(spec, weights, inputs)
    for row, values in zip(ours, symbol_values(spec, inputs, weights), strict=True):
        judge = cirq.resolve_parameters(spec.circuit, values).final_state_vector(qubit_order=spec.qubits)
        np.testing.assert_allclose(row, judge, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pair_geometry_is_its_definition_with_density_matrices(rows, monkeypatch):
    monkeypatch.setattr(hilbert_space, "OVERLAP_BYTES", rows * 4 * 5 * 16)  # as complex128
    a, b = random_states(5, 4, 1), random_states(5, 4, 2)
    rhos = [(np.outer(x, x.conj()) + np.outer(y, y.conj())) / 2 for x, y in zip(a, b, strict=True)]
    distances, pair, others = [], [], []
    for k, rho in enumerate(rhos):
        sigma = sum(other for j, other in enumerate(rhos) if j != k) / 4
        distances.append(np.trace((rho - sigma) @ (rho - sigma)).real)
        pair.append(np.trace(rho @ rho).real)
        others.append(np.trace(sigma @ sigma).real)
    geometry = pair_geometry(a, b)
    assert geometry.hilbert_schmidt_distance == pytest.approx(np.mean(distances))
    assert (geometry.purity_pair, geometry.purity_others) == pytest.approx((np.mean(pair), np.mean(others)))
    assert geometry.purity_pair == pytest.approx((1 + geometry.positive_overlap) / 2)


def test_overlaps_of_angle_encodings_have_a_closed_form():
    spec = circuit_spec(3, "sim19", 2)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, np.pi, (2, 6, 3))
    weights = rng.normal(size=len(spec.weights))
    geometry = pair_geometry(encoded_states(spec, weights, x), encoded_states(spec, weights, y))
    assert geometry.positive_overlap == pytest.approx(np.mean(np.prod(np.cos((x - y) / 2) ** 2, axis=1)), abs=1e-5)


def test_meyer_wallach_of_known_states():
    ghz = np.zeros((1, 8))
    ghz[0, [0, 7]] = 0.5**0.5
    w = np.zeros((1, 8))
    w[0, [1, 2, 4]] = 3**-0.5
    product = np.eye(8)[:1]
    assert [meyer_wallach(state.astype(complex))[0] for state in (ghz, w, product)] == pytest.approx([1, 8 / 9, 0])


def test_haar_random_states_have_their_mean_entanglement():
    """Mean Q of Haar-random states is (N - 2) / (N + 1)."""
    mean = meyer_wallach(random_states(4000, 16)).mean()
    assert mean == pytest.approx(14 / 17, abs=0.005)


def test_one_rotation_about_one_axis_covers_a_circle():
    """RY on one qubit: F = cos^2 of a uniform angle has the arcsine distribution; Haar-random states a uniform one."""
    edges = np.linspace(0, 1, 76)
    arcsine = np.diff(2 / np.pi * np.arcsin(np.sqrt(edges)))
    divergence = np.sum(arcsine * np.log(arcsine * 75))
    assert expressibility(circuit_spec(1, "none", 1), pairs=40_000) == pytest.approx(divergence, abs=0.01)


@pytest.mark.parametrize(("x_links", "z_links"), [("sim14", "sim13"), ("sim14_half", "sim13_half")])
def test_controlled_x_rotations_beat_controlled_z_rotations(x_links, z_links):
    """A finding of arXiv:1905.10876 (abstract), for expressibility and for entangling capability, at four qubits."""
    by_x, by_z = circuit_spec(4, x_links, 1), circuit_spec(4, z_links, 1)
    assert expressibility(by_x) < 0.7 * expressibility(by_z)
    assert entangling_capability(by_x) > 1.2 * entangling_capability(by_z)


def test_layers_cover_more_states_until_they_saturate():
    """arXiv:1905.10876, Section 4: the divergence falls with layers down to the noise of the histogram."""
    divergence = [expressibility(circuit_spec(4, "sim14", layers)) for layers in (1, 2, 4)]
    histogram_noise = 74 / (2 * 5000)  # (bins - 1) / (2 pairs), the bias of a plug-in divergence
    assert divergence[0] > divergence[1] and divergence[2] < 2 * histogram_noise


def test_no_entanglers_no_entanglement():
    assert entangling_capability(circuit_spec(4, "none", 2)) == pytest.approx(0, abs=1e-5)


def test_gradient_variance_of_one_rotation():
    """<Z> = cos(theta): its slope has variance 1/2 at any width."""
    for width in (1, 5):
        assert gradient_variance(width, "none", 1, samples=4000) == pytest.approx(0.5, abs=0.03)


def test_deep_circuits_have_barren_plateaus():
    """arXiv:1803.11173: the variance falls as 2^-width; the first gate of sim14 is an RY, which moves |0>."""
    variances = [gradient_variance(width, "sim14", 6, samples=300) for width in (4, 6, 8)]
    assert all(3 < wide / wider < 5.3 for wide, wider in itertools.pairwise(variances))


def test_the_first_slopes_are_finite_differences_of_cirqs_expectations():
    spec, weights = circuit_spec(4, "sim14", 1), np.random.default_rng(0).uniform(0, 2 * np.pi, (50, 16))

    def expectation(row, step):
        turned = dict(zip(spec.weights, [row[0] + step, *row[1:]], strict=True)) | dict.fromkeys(spec.inputs, 0.0)
        state = cirq.resolve_parameters(spec.circuit, turned).final_state_vector(qubit_order=spec.qubits)
        return spec.observables[0].expectation_from_state_vector(state, {q: i for i, q in enumerate(spec.qubits)}).real

    slopes = [(expectation(row, 1e-2) - expectation(row, -1e-2)) / 2e-2 for row in weights]
    assert gradient_variance(4, "sim14", 1, samples=50) == pytest.approx(np.var(slopes), rel=1e-3)
