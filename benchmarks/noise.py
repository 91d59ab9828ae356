"""The quantum head under noise: against no noise, against trajectories, against density matrices."""

from collections.abc import Iterator

import cirq
import numpy as np
from heads import TFQ, batch_of, head_call
from qiskit_aer import AerSimulator
from timing import compared, medians

from qssl_tf.compiler.noise_model import noise_model
from qssl_tf.compiler.snapshots import snapshot
from qssl_tf.compiler.twin import twin
from qssl_tf.models.quantum_head import QuantumHead
from qssl_tf.quantum.measurement import Measurement

DEVICE = "fake_paris"
WORDS = "depolarizing=0.01,amplitude_damping=0.005,readout=0.02"
FULL = "exact noise: forward + backward, ring"


def density_matrices(rows: int) -> dict[str, object]:
    """Compare forward passes with Cirq's density matrices, row by row in single precision as ours."""
    head = QuantumHead(8, "ring", 2, noise=WORDS, seed=0)
    angles = np.asarray(batch_of(rows, 8, 8)[0])
    circuit = Measurement(noise=WORDS).executed_circuit(head.spec)
    simulator, order = cirq.DensityMatrixSimulator(), {qubit: place for place, qubit in enumerate(head.spec.qubits)}
    names = [str(symbol) for symbol in head.spec.inputs + head.spec.weights]

    def theirs() -> list[float]:
        found = []
        for row in angles:
            values = dict(zip(names, map(float, [*row, *head.parameters.numpy()]), strict=True))
            density = simulator.simulate(circuit, values, qubit_order=head.spec.qubits).final_density_matrix
            found += [p.expectation_from_density_matrix(density, order).real for p in head.spec.observables]
        return found

    rivals = {"ours": lambda: head(angles).numpy(), "Cirq, density matrices": theirs}
    return compared("exact noise: forward, ring", 8, rows, None, medians(rivals))


def aer_density_matrices(rows: int) -> dict[str, object]:
    """Compare forward passes of the twin with Aer's density matrices of the same circuit and noise model."""
    head = QuantumHead(8, "ring", 2, noise=DEVICE, seed=0)
    angles = np.asarray(batch_of(rows, 8, 8)[0])
    weights = dict(zip(map(str, head.spec.weights), map(float, head.parameters.numpy()), strict=True))
    compiled = twin(head.spec, DEVICE).bound(weights)
    bare = compiled.circuit.remove_final_measurements(inplace=False)
    bare.save_probabilities(compiled.layout)
    simulator = AerSimulator(method="density_matrix", noise_model=noise_model(snapshot(DEVICE)))
    bound = [
        bare.assign_parameters({p: float(row[int(p.name.removeprefix("x_"))]) for p in bare.parameters})
        for row in angles
    ]
    rivals = {
        "ours": lambda: head(angles).numpy(),
        "Aer, density matrices": lambda: simulator.run(bound).result().results,
    }
    return compared(f"twin of {DEVICE}: forward, ring", 8, rows, None, medians(rivals))


def all_noise() -> Iterator[dict[str, object]]:
    """Yield every comparison under noise."""
    for rows in (512, 2000):
        rivals = {"ours": head_call("auto", 8, rows, noise=WORDS), "ours, without noise": head_call("auto", 8, rows)}
        yield compared(FULL, 8, rows, None, medians(rivals))
    rivals = {
        "ours": head_call("auto", 8, 500, noise=WORDS),
        "ours, 2,000 rows": head_call("auto", 8, 2000, noise=WORDS),
    }
    yield compared(FULL, 8, 500, None, medians(rivals))
    shots = head_call("auto", 8, 512, noise=WORDS, shots=100)
    exact = head_call("auto", 8, 512, noise=WORDS)
    yield compared(
        "noise, shots: forward + exact gradient, ring", 8, 512, 100, medians({"ours": shots, "ours, exact": exact})
    )
    options = {"noise": WORDS, "shots": 100}
    rivals = {
        "ours": head_call("auto", 8, 512, **options),
        f"{TFQ}, trajectories and this package's shift rule, 4 rows": head_call(
            "tfq", 8, 4, gradient="parameter_shift", **options
        ),
    }
    yield compared("noise, shots: forward + gradient, ring", 8, 512, 100, medians(rivals))
    yield density_matrices(2)
    rivals = {"ours": head_call("auto", 8, 512, noise=DEVICE), "ours, without noise": head_call("auto", 8, 512)}
    yield compared(f"twin of {DEVICE}: forward + backward, ring", 8, 512, None, medians(rivals))
    yield aer_density_matrices(4)
