"""Noise of a real device, read from the calibration snapshot that comes with Qiskit's runtime package.

`python -m qssl_tf.hardware.snapshot fake_paris --qubits 8` prints words for `--noise`.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from qssl_tf.errors import UserError, unknown_name


def snapshot_names() -> list[str]:
    """Return the names of the snapshots: `fake_paris` and its like."""
    return sorted(backend.name for backend in _provider().backends())


def _provider() -> Any:
    from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2

    with warnings.catch_warnings():  # some snapshots of other devices announce that their values are made up
        warnings.simplefilter("ignore", UserWarning)
        return FakeProviderForBackendV2()


def snapshot(name: str) -> Any:
    """Return the snapshot called `name`, a Qiskit backend.

    Raises:
        UserError: There is none of that name; the nearest is given.
    """
    from qiskit.providers import QiskitBackendNotFoundError

    try:
        return _provider().backend(name)
    except QiskitBackendNotFoundError:
        raise unknown_name("snapshot", name, snapshot_names()) from None


def average_noise(backend: Any, qubits: Sequence[int]) -> dict[str, float]:
    """Return the strengths of channels that stand for the device, averaged over `qubits`.

    Relaxation over a gate's duration t is amplitude damping 1 - exp(-t / T1) and phase damping 1 - exp(-2t / T_phi)
    with 1 / T_phi = 1 / T2 - 1 / (2 T1). What is left of the calibrated gate error is depolarizing. `_2q` is the
    noise on each of the two qubits of one CX.

    Args:
        backend: A Qiskit backend with a calibrated target.
        qubits: Physical qubits that will be used; at least two that a gate connects.

    Raises:
        UserError: Qubits that are not there, or no gate between any two of them.
    """
    target = backend.target
    if not qubits or max(qubits) >= target.num_qubits or min(qubits) < 0 or len(set(qubits)) != len(qubits):
        raise UserError(f"`qubits` must be different and from 0 to {target.num_qubits - 1}; got {list(qubits)}.")
    two = next((name for name in ("cx", "ecr", "cz") if name in target.operation_names), None)
    pairs = [pair for pair in (target[two] if two else ()) if set(pair) <= set(qubits)]
    if not pairs:
        raise UserError(f"no two of the qubits {list(qubits)} of {backend.name} are connected; choose neighbours.")
    t1, t2 = (np.array([getattr(target.qubit_properties[q], name) for q in qubits]) for name in ("t1", "t2"))
    rate1, rate_phi = float(np.mean(1 / t1)), float(np.mean(np.maximum(1 / t2 - 1 / (2 * t1), 0.0)))
    single = [target["sx"][(q,)] for q in qubits]
    double = [target[two][pair] for pair in pairs]
    strengths = {"readout": float(np.mean([target["measure"][(q,)].error for q in qubits]))}
    # One qubit's infidelity weighs 1 in a gate on it, and each qubit's 1.2 in a gate on two (dimension 4: 4/5 of the
    # entanglement infidelity, which adds up, against 2/3 in dimension 2).
    for suffix, gates, weight in (("", single, 1.0), ("_2q", double, 2.4)):
        duration, error = (float(np.mean([getattr(gate, key) for gate in gates])) for key in ("duration", "error"))
        damping, dephasing = 1 - math.exp(-duration * rate1), 1 - math.exp(-2 * duration * rate_phi)
        # Average infidelities: depolarizing p has 2p/3 a qubit; weak damping g has g/3, weak dephasing l has l/6.
        left = max(error / weight - damping / 3 - dephasing / 6, 0.0)
        strengths |= {
            f"depolarizing{suffix}": 1.5 * left,
            f"amplitude_damping{suffix}": damping,
            f"phase_damping{suffix}": dephasing,
        }
    return strengths


def noise_words(strengths: dict[str, float]) -> str:
    """Return strengths as the text that the `noise` setting takes."""
    return ",".join(f"{name}={strength:.3g}" for name, strength in strengths.items())


def main() -> None:
    """Print the noise of a snapshot."""
    from qssl_tf.flags import Parser

    parser = Parser(prog="python -m qssl_tf.hardware.snapshot", description="Read a device's noise from its snapshot.")
    parser.add_argument("name", help="snapshot, such as fake_paris")
    parser.add_argument("--qubits", type=int, default=8, help="number of connected qubits to average over (default: 8)")
    asked = parser.parse_args()
    backend = snapshot(asked.name)
    print(noise_words(average_noise(backend, connected_qubits(backend, asked.qubits))))


def connected_qubits(backend: Any, count: int) -> list[int]:
    """Return `count` connected qubits, found from qubit 0 outwards.

    Raises:
        UserError: The device has fewer.
    """
    if not 2 <= count <= backend.num_qubits:
        raise UserError(f"`qubits` must be from 2 to {backend.num_qubits} on {backend.name}; got {count}.")
    edges = {frozenset(pair) for pair in backend.coupling_map.get_edges()}
    found = [0]
    for qubit in found:
        neighbours = sorted(other for edge in edges if qubit in edge for other in edge - {qubit})
        found += [other for other in neighbours if other not in found]
    return sorted(found[:count])


if __name__ == "__main__":
    import sys

    from qssl_tf.flags import run_command

    sys.exit(run_command(main))
