"""Gradient rules for devices: shifts and coefficients, and how many circuits they take."""

import math

import numpy as np

from qssl_tf.config import Config
from qssl_tf.quantum.gatewise import GatewiseCircuit, gatewise
from qssl_tf.quantum.spec import circuit_spec

HALF_PI = math.pi / 2
NEAR, FAR = (math.sqrt(2) + 1) / (4 * math.sqrt(2)), (math.sqrt(2) - 1) / (4 * math.sqrt(2))
# (shift in radians, coefficient). Rotations have eigenvalues ±1/2, frequencies 0 and 1: two terms (arXiv:1811.11184).
# Controlled rotations have eigenvalues 0 and ±1/2, frequencies 0, 1/2 and 1: four terms (arXiv:2106.01388, Eq. 8).
TWO_TERMS = ((HALF_PI, 0.5), (-HALF_PI, -0.5))
FOUR_TERMS = ((HALF_PI, NEAR), (-HALF_PI, -NEAR), (3 * HALF_PI, -FAR), (-3 * HALF_PI, FAR))

SPSA_STEP = 0.1  # radians; the bias grows with its square, the shot noise with its inverse


def shift_terms(circuit: GatewiseCircuit, exact: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return gate, shift (radians) and coefficient of each term of the gradient, shape (terms,) each.

    Args:
        circuit: The gates.
        exact: Use four terms for controlled gates; otherwise two, as the paper's published code does, which
            multiplies the half-frequency part of their gradient by sqrt(2).
    """
    terms = [
        (gate, shift, coefficient)
        for gate, controlled in enumerate(circuit.controlled)
        for shift, coefficient in (FOUR_TERMS if controlled and exact else TWO_TERMS)
    ]
    gates, shifts, coefficients = zip(*terms, strict=True)
    return np.array(gates, np.int32), np.array(shifts, np.float32), np.array(coefficients, np.float32)


def gradient_circuits(config: Config) -> int:
    """Return the number of circuits that the gradient for one image takes, besides the one for its expectations.

    A shift rule takes 2 for each rotation and 4 for each controlled one, in the encoding and in the ansatz; `two_term`
    takes 2 for each, `spsa` 2 in all. `adjoint` only exists on simulators and takes none.
    """
    if config.gradient == "adjoint":
        return 0
    if config.gradient == "spsa":
        return 2
    spec = circuit_spec(config.width, config.ansatz, config.layers, config.encoding, config.observables)
    gates = gatewise(spec.circuit, spec.inputs + spec.weights)
    return len(shift_terms(gates, exact=config.gradient == "parameter_shift")[0])


def training_circuits(config: Config, steps: int) -> int:
    """Return the number of circuits that a training run takes, with two views per image; 0 without a quantum head."""
    if config.head != "quantum":
        return 0
    return 2 * config.batch_size * steps * (1 + gradient_circuits(config))
