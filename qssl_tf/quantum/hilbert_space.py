"""Measures of circuits and representations in Hilbert space: expressibility, entanglement, overlaps, plateaus."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from qssl_tf.quantum.overlaps import amplitudes, state_simulation
from qssl_tf.quantum.simulation import Simulation, simulation
from qssl_tf.quantum.simulators import refuse_states_beyond_memory
from qssl_tf.quantum.spec import CircuitSpec, circuit_spec

BINS = 75  # of arXiv:1905.10876
CHUNK = 2048
CHUNK_BYTES = 2**29  # of states whose gradient is taken at once
OVERLAP_BYTES = 2**26  # of overlaps with all views; those of 4,096 pairs with each other take 0.5 GB
_simulations: dict[tuple, Simulation] = {}


def _run(spec: CircuitSpec, weights_by_row: bool) -> Simulation:
    """Return a circuit without a basis change, so that it ends in its state."""
    key = (*spec.key[:-1], weights_by_row)
    if key not in _simulations:
        _simulations[key] = state_simulation(spec, weights_by_row)
    return _simulations[key]


def states(spec: CircuitSpec, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the final states, complex64, shape (n, 2^width), without a global phase that a user's own gates may add.

    Args:
        spec: The circuit.
        inputs: Angles of the encoding, shape (n, input symbols).
        weights: Shape (weights,), or (n, weights); angles are in radians.
    """
    refuse_states_beyond_memory(len(spec.qubits), min(CHUNK, len(inputs)))
    run, chunks = _run(spec, weights.ndim == 2), [slice(start, start + CHUNK) for start in range(0, len(inputs), CHUNK)]
    return np.concatenate(
        [_states(run, inputs[rows], weights if weights.ndim == 1 else weights[rows]) for rows in chunks]
    )


def _states(run: Simulation, inputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    angles = run.angles(tf.constant(inputs, tf.float32), tf.constant(weights, tf.float32))
    real, imaginary = np.split(amplitudes(run.states(*angles)).numpy(), 2)
    rows = (real + 1j * imaginary).T.astype(np.complex64)
    return np.broadcast_to(rows, (len(inputs), rows.shape[1]))  # a circuit without angles has one state for all


def encoded_states(spec: CircuitSpec, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return the final states for inputs of shape (n, input_size)."""
    return states(spec, spec.encoding.angles(inputs, np, len(spec.qubits)), weights)


@dataclass(frozen=True)
class PairGeometry:
    """Means over a batch; rho is the even mixture of an image's two views, sigma that of all other images' views.

    Attributes:
        positive_overlap: |<a|b>|^2 of the two views.
        hilbert_schmidt_distance: tr (rho - sigma)^2 (arXiv:2001.03622).
        purity_pair: tr rho^2 = (1 + overlap) / 2.
        purity_others: tr sigma^2.
    """

    positive_overlap: float
    hilbert_schmidt_distance: float
    purity_pair: float
    purity_others: float


def pair_geometry(view_a: np.ndarray, view_b: np.ndarray) -> PairGeometry:
    """Compare the states of positive pairs with those of all other images.

    Args:
        view_a: States of the first views, shape (n, 2^width), n at least 2.
        view_b: States of the second views, likewise.
    """
    n, views = len(view_a), np.concatenate([view_a, view_b])  # (2n, 2^width)
    rows = max(1, OVERLAP_BYTES // (4 * n * views.itemsize))  # images at a time
    positive, own, with_all, total = np.empty(n), np.empty(n), np.empty(n), 0.0
    for start in range(0, n, rows):
        part = slice(start, min(start + rows, n))
        overlaps = np.abs(np.concatenate([view_a[part], view_b[part]]) @ views.conj().T) ** 2  # (2 rows, 2n)
        blocks = overlaps.reshape(2, -1, 2, n).sum(axis=(0, 2))  # (rows, n): sums over the views of two images
        positive[part] = np.diag(overlaps[: len(blocks), n + start :])
        own[part], with_all[part] = np.diag(blocks[:, start:]), blocks.sum(axis=1)
        total += blocks.sum()
    with_others = with_all - own
    among_others = total - 2 * with_others - own
    pair, cross, others = own / 4, with_others / (4 * (n - 1)), among_others / (4 * (n - 1) ** 2)
    return PairGeometry(
        positive_overlap=float(np.mean(positive)),
        hilbert_schmidt_distance=float(np.mean(pair + others - 2 * cross)),
        purity_pair=float(np.mean(pair)),
        purity_others=float(np.mean(others)),
    )


def _random_states(spec: CircuitSpec, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return states of the ansatz for uniformly random weights, on |0...0>: the encoding's angles are 0."""
    weights = rng.uniform(0, 2 * np.pi, (count, len(spec.weights)))
    return states(spec, np.zeros((count, len(spec.inputs))), weights)


def expressibility(spec: CircuitSpec, pairs: int = 5000, seed: int = 0) -> float:
    """Return the divergence (nats) of the fidelities of random states of the ansatz from those of Haar-random states.

    Kullback-Leibler divergence over 75 bins (arXiv:1905.10876, Eq. 9), 0 for a circuit that covers states uniformly.
    """
    rng = np.random.default_rng(seed)
    first, second = _random_states(spec, pairs, rng), _random_states(spec, pairs, rng)
    fidelity = np.abs(np.sum(first.conj() * second, axis=1)) ** 2
    counts, edges = np.histogram(np.clip(fidelity, 0, 1), BINS, (0, 1))
    share = counts / pairs
    haar = -np.diff((1 - edges) ** (2 ** len(spec.qubits) - 1))  # integral of (N-1)(1-F)^(N-2) over each bin
    occupied = share > 0
    # For many qubits, the last bins are so improbable that they round to 0; log space handles them.
    log_haar = np.log(np.maximum(haar[occupied], 1e-300))
    return float(np.sum(share[occupied] * (np.log(share[occupied]) - log_haar)))


def meyer_wallach(vectors: np.ndarray) -> np.ndarray:
    """Return Q = 2 (1 - mean purity of single qubits) of each state (quant-ph/0108104); 0 product, 1 GHZ."""
    n, width = len(vectors), int(np.log2(vectors.shape[1]))
    purities = []
    for qubit in range(width):
        bipartition = np.moveaxis(vectors.reshape(n, *[2] * width), qubit + 1, 1).reshape(n, 2, -1)
        reduced_states = bipartition @ bipartition.conj().transpose(0, 2, 1)  # (n, 2, 2)
        purities.append(np.sum(np.abs(reduced_states) ** 2, axis=(1, 2)))
    return 2 * (1 - np.mean(purities, axis=0))


def entangling_capability(spec: CircuitSpec, samples: int = 2000, seed: int = 0) -> float:
    """Return the mean of `meyer_wallach` over random weights (arXiv:1905.10876, Eq. 12), from 0 to 1."""
    return float(np.mean(meyer_wallach(_random_states(spec, samples, np.random.default_rng(seed)))))


def gradient_variance(width: int, ansatz: str, layers: int, samples: int = 200, seed: int = 0) -> float:
    """Return the variance of d<Z_0>/d(first weight) over random weights; it falls as 2^-width on a barren plateau.

    Source: arXiv:1803.11173.
    """
    spec, rng = circuit_spec(width, ansatz, layers), np.random.default_rng(seed)
    weights = rng.uniform(0, 2 * np.pi, (samples, len(spec.weights))).astype(np.float32)
    run = simulation(replace(spec, observables=spec.observables[:1]), spec.circuit, None, all_by_row=True)
    rows = max(1, CHUNK_BYTES // run.bytes_per_row)
    slopes = [_first_slopes(run, tf.constant(weights[start : start + rows])) for start in range(0, samples, rows)]
    return float(np.var(np.concatenate(slopes)))


def _first_slopes(run: Simulation, weights: tf.Tensor) -> np.ndarray:
    """Return d<first observable>/d(first weight) for rows of weights."""
    with tf.GradientTape() as tape:
        tape.watch(weights)
        exact = run.exact(run.states(*run.angles(tf.zeros((len(weights), run.inputs)), weights)))
    return tape.gradient(exact, weights).numpy()[:, 0]
