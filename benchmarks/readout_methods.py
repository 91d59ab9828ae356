"""Mitigation of readout errors: this package's against mthree and the factors of qiskit-mitigation's TREX.

Ring circuits of 8 qubits on snapshots, with the calibrated errors of 0 and of 1 apart and no other noise: the root mean
square error of Z and ZZ by each method. mthree is no dependency: without it its column is left out.

TREX measures how often each qubit flips under random flips, in a calibration with as many shots as one row; here those
come from the same errors, and the rows themselves are measured under random flips too, as that method asks.
"""

import importlib.util
from collections import Counter
from dataclasses import replace
from importlib import metadata

import numpy as np
from qiskit.primitives import BitArray
from qiskit.quantum_info import PauliLindbladMap, Statevector
from qiskit_mitigation import TREX

from qssl_tf.compiler.compile import compile_head
from qssl_tf.compiler.noise_model import calibrated_errors
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.translate import translated
from qssl_tf.device.counts import moments
from qssl_tf.device.mitigation import MITIGATIONS, Measured, Products
from qssl_tf.quantum.spec import circuit_spec

WIDTH, ROWS, REPEATS, SHOTS = 8, 40, 5, (1024, 8192)
SNAPSHOTS = ("fake_paris", "fake_marrakesh", "fake_torino")
SIGNS = 1 - 2 * (np.arange(2**WIDTH)[:, np.newaxis] >> np.arange(WIDTH) & 1)  # (outcomes, qubits)
PAIRS = [(place, (place + 1) % WIDTH) for place in range(WIDTH)]
OBSERVABLES = [(place,) for place in range(WIDTH)] + PAIRS
MEMBERS = np.array([[float(place in members) for members in OBSERVABLES] for place in range(WIDTH)])
VALUES = np.stack([np.prod(SIGNS[:, list(members)], axis=1) for members in OBSERVABLES], axis=1)


def probabilities(rng: np.random.Generator) -> np.ndarray:
    """Return the exact outcomes of ring circuits with random weights, shape (rows, outcomes)."""
    spec = circuit_spec(WIDTH, "ring", 2)
    circuit = translated(spec, rng.uniform(0, 2 * np.pi, len(spec.weights)))
    rows = rng.uniform(0, np.pi, (ROWS, len(spec.inputs)))
    names = [str(symbol) for symbol in spec.inputs]
    bound = (circuit.assign_parameters(dict(zip(names, row, strict=True))) for row in rows)
    return np.array([Statevector(one).probabilities() for one in bound])


def read(bits: np.ndarray, flips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return bits as a device reads them; `flips` holds how likely a 0 is read as 1 and a 1 as 0, shape (qubits, 2)."""
    return bits ^ (rng.random(bits.shape) < np.where(bits, flips[:, 1], flips[:, 0]))


def means(bits: np.ndarray) -> np.ndarray:
    """Return the mean of each observable, shape (rows, observables), of bits (rows, shots, qubits)."""
    signs = 1 - 2 * bits.astype(int)
    return np.stack([np.prod(signs[..., list(members)], axis=-1).mean(axis=-1) for members in OBSERVABLES], axis=1)


def ours(seen: np.ndarray, flips: np.ndarray, exact: np.ndarray) -> dict[str, np.ndarray]:
    """Return this package's estimates; `affine` is fitted on the first half of the rows, as on calibration rows."""
    measured, half, shots = means(seen), ROWS // 2, seen.shape[1]
    contrast = np.array([np.prod(1 - flips.sum(axis=1)[list(members)]) for members in OBSERVABLES])
    of_one = Measured(measured[half:], measured[:half], exact[:half], contrast, shots)
    of_both = replace(of_one, apart=both_apart(seen[half:], flips))
    return {method: MITIGATIONS[method](of_both)[0] for method in ("none", "readout", "affine")} | {
        "readout, both errors as one": MITIGATIONS["readout"](of_one)[0]
    }


def trex(bits: np.ndarray, flips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return estimates by twirled readout and the package's own factors."""
    masks = rng.integers(0, 2, bits.shape, dtype=np.uint8)
    measured = means(read(bits ^ masks, flips, rng) ^ masks)
    zeros = rng.integers(0, 2, bits.shape[1:], dtype=np.uint8)
    rates = (read(zeros, flips, rng) ^ zeros).mean(axis=0)
    # A rate r of X as the package writes it into its model: fidelity exp(-2 r) where the truth is 1 - 2 r.
    model = PauliLindbladMap.from_sparse_list([("X", [q], float(r)) for q, r in enumerate(rates)], num_qubits=WIDTH)
    labels = ["".join("Z" if q in members else "I" for q in reversed(range(WIDTH))) for members in OBSERVABLES]
    return np.clip(measured * np.array([TREX.calculate_trex_factor(model, label) for label in labels]), -1, 1)


def m3(bits: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """Return mthree's estimates with the true confusion matrix of each qubit."""
    import mthree

    mitigator = mthree.M3Mitigation()
    mitigator.cals_from_matrices([np.array([[1 - a, b], [a, 1 - b]], np.float32) for a, b in flips])
    operators = ["".join("Z" if q in members else "I" for q in reversed(range(WIDTH))) for members in OBSERVABLES]
    found = []
    for row in bits:
        words = Counter("".join(map(str, shot[::-1])) for shot in row)
        quasi = mitigator.apply_correction(dict(words), list(range(WIDTH)))
        found.append([quasi.expval(operator) for operator in operators])
    return np.clip(np.array(found), -1, 1)


def both_apart(bits: np.ndarray, flips: np.ndarray) -> Products:
    """Return what a device run takes from its counts where it knows both errors of each qubit."""
    packed = np.packbits(bits[..., ::-1], axis=-1)
    found = moments(BitArray(packed, WIDTH), MEMBERS, flips[:, 1] - flips[:, 0])
    return Products(found[:, : len(OBSERVABLES)], found[:, len(OBSERVABLES) :])


def measure(name: str, shots: int, seed: int) -> dict[str, float]:
    """Return the root mean square error of each method on one snapshot."""
    rng = np.random.default_rng(seed)
    exact_probabilities = probabilities(rng)
    exact = exact_probabilities @ VALUES
    spec = circuit_spec(WIDTH, "ring", 2)
    backend = snapshot(name)
    layout = compile_head(translated(spec, np.zeros(len(spec.weights))), backend)[0].layout
    flips = np.array([calibrated_errors(backend, layout).readout[qubit] for qubit in layout])
    drawn = np.array([rng.choice(2**WIDTH, shots, p=row / row.sum()) for row in exact_probabilities])
    bits = (drawn[..., np.newaxis] >> np.arange(WIDTH) & 1).astype(np.uint8)
    seen = read(bits, flips, rng)
    half = ROWS // 2
    found = ours(seen, flips, exact) | {"TREX": trex(bits, flips, rng)[half:]}
    if importlib.util.find_spec("mthree"):
        found["mthree"] = m3(seen, flips)[half:]
    found["shots alone"] = means(bits)[half:]
    return {method: float(np.sqrt(np.mean((values - exact[half:]) ** 2))) for method, values in found.items()}


def table() -> list[dict]:
    """Return a row for each snapshot and number of shots."""
    rows = []
    for name in SNAPSHOTS:
        for shots in SHOTS:
            runs = [measure(name, shots, seed) for seed in range(REPEATS)]
            row = {method: [round(float(np.median([run[method] for run in runs])), 5)] for method in runs[0]}
            row |= {m: [*v, *(round(f([run[m] for run in runs]), 5) for f in (min, max))] for m, v in row.items()}
            rows.append({"snapshot": name, "shots": shots, "rms": row})
            print(name, shots, {method: values[0] for method, values in row.items()}, flush=True)
    return rows


def measured() -> dict:
    """Return the table, and the versions of what was compared."""
    packages = [p for p in ("qiskit", "qiskit-mitigation", "mthree") if importlib.util.find_spec(p.replace("-", "_"))]
    return {
        "what": f"rms error of Z and ZZ, ring of {WIDTH}, {ROWS // 2} rows; median, least, largest of {REPEATS} seeds",
        "versions": {name: metadata.version(name) for name in packages},
        "table": table(),
    }
