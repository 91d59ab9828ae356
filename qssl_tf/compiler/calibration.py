"""Noise of a real device as averages in words, read from its calibration.

`qssl noise fake_paris --qubits 8` prints words for `--noise`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qssl_tf.compiler.working_parts import (
    check_width,
    connected,
    couplers,
    error_in,
    neighbours,
    usable,
    working_qubits,
)
from qssl_tf.errors import UserError

PULSES = ("sx", "u2")  # the gate of one pulse on one qubit, of newer and older devices


def average_noise(backend: Any, qubits: Sequence[int]) -> dict[str, float]:
    """Return the strengths of channels that stand for the device, averaged over `qubits` and their working couplers.

    Relaxation over a gate's duration t is amplitude damping 1 - exp(-t / T1) and phase damping 1 - exp(-2t / T_phi)
    with 1 / T_phi = 1 / T2 - 1 / (2 T1). What is left of the calibrated gate error is depolarizing. `_2q` is the
    noise on each of the two qubits of one CX.

    Args:
        backend: A Qiskit backend with a calibrated target.
        qubits: Physical qubits that will be used; at least two that a gate connects.

    Raises:
        UserError: Qubits that are not there or dead, or no gate between any two of them.
    """
    target = usable(backend)
    if not qubits or max(qubits) >= target.num_qubits or min(qubits) < 0 or len(set(qubits)) != len(qubits):
        raise UserError(f"`qubits` must be different and from 0 to {target.num_qubits - 1}; got {list(qubits)}.")
    if dead := sorted(set(qubits) - set(working_qubits(target))):
        raise UserError(f"`qubits` must work; by its calibration, those of {backend.name} that do not include {dead}.")
    double = [gate for pair, gate in couplers(target).items() if pair <= set(qubits) and error_in(gate) < 1]
    if not double:
        raise UserError(
            f"no coupler that works joins two of the qubits {list(qubits)} of {backend.name}; choose neighbours."
        )
    rate1, rate_phi = _rates(backend, qubits)
    pulse = next(name for name in PULSES if name in target.operation_names)
    single = [target[pulse][(q,)] for q in qubits]
    strengths = {"readout": float(np.mean([target["measure"][(q,)].error for q in qubits]))}
    # One qubit's infidelity weighs 1 in a gate on it, and each qubit's 1.2 in a gate on two (dimension 4: 4/5 of the
    # entanglement infidelity, which adds up, against 2/3 in dimension 2).
    for suffix, gates, weight in (("", single, 1.0), ("_2q", double, 2.4)):
        duration, error = (float(np.mean([getattr(gate, key) for gate in gates])) for key in ("duration", "error"))
        damping, dephasing = 1 - math.exp(-duration * rate1), 1 - math.exp(-2 * duration * rate_phi)
        # Average infidelities: depolarizing p has 2p/3 a qubit; weak damping g has g/3, weak dephasing l has l/6.
        remainder = max(error / weight - damping / 3 - dephasing / 6, 0.0)
        strengths |= {
            f"depolarizing{suffix}": 1.5 * remainder,
            f"amplitude_damping{suffix}": damping,
            f"phase_damping{suffix}": dephasing,
        }
    return strengths


def _rates(backend: Any, qubits: Sequence[int]) -> tuple[float, float]:
    """Return the mean rates 1 / T1 and 1 / T_phi of qubits, in 1/s."""
    t1, t2 = (np.array([getattr(backend.target.qubit_properties[q], name) for q in qubits]) for name in ("t1", "t2"))
    return float(np.mean(1 / t1)), float(np.mean(np.maximum(1 / t2 - 1 / (2 * t1), 0.0)))


def noise_words(strengths: dict[str, float]) -> str:
    """Return strengths as the text that the `noise` setting takes."""
    return ",".join(f"{name}={strength:.3g}" for name, strength in strengths.items())


def connected_qubits(backend: Any, count: int) -> list[int]:
    """Return `count` connected qubits that work, found outwards from the first of the largest connected part.

    Raises:
        UserError: The device has fewer.
    """
    if backend.num_qubits < 2:
        raise UserError(
            f"{backend.name} has one qubit, and an average is of two at least that a gate joins; name another."
        )
    if not 2 <= count <= backend.num_qubits:
        raise UserError(f"`qubits` must be from 2 to {backend.num_qubits} on {backend.name}; got {count}.")
    check_width(backend, count)
    target = usable(backend)
    beside = neighbours(target)
    reached = connected(couplers(target), working_qubits(target))[0][:1]
    for qubit in reached:
        reached += [other for other in sorted(beside[qubit]) if other not in reached]
    return sorted(reached[:count])
