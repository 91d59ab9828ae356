"""Noise channels in the circuit, and the paper's measurement between layers.

Strengths are probabilities in [0, 1], but for `over_rotation`, the part of its angle by which a gate turns too far. The
channels are Cirq's; TFQ samples one trajectory per shot.
"""

import re
from collections.abc import Callable, Sequence

import cirq

from qssl_tf.errors import UserError, unknown_name
from qssl_tf.quantum.controls import split_controls

DEPHASING = cirq.phase_flip(0.5)  # a measurement in Z whose outcome is discarded

CHANNELS: dict[str, Callable[[float], cirq.Gate]] = {
    "depolarizing": cirq.depolarize,
    "amplitude_damping": cirq.amplitude_damp,
    "phase_damping": cirq.phase_damp,
}
# Readout errors: both flips with one probability, or a 0 that is read as 1 and a 1 that is read as 0 apart.
READOUT = ("readout", "readout_0", "readout_1")
OVER_ROTATION = "over_rotation"  # coherent: the part by which each rotation of data or weights turns too far
TWO_QUBIT = "_2q"  # e.g. depolarizing_2q: a separate strength for each qubit of a two-qubit gate
LEVELS = ("gate", "layer")
DEVICES = "fake_"  # with which the names of devices begin, those of Qiskit's calibration snapshots


def device_of(text: str) -> str | None:
    """Return the name of the device whose noise `text` asks for; None if it is `none` or names channels.

    Raises:
        UserError: It names a device and channels.
    """
    parts = [part.strip() for part in text.split(",")]
    devices = [part for part in parts if part.startswith(DEVICES)]
    if not devices:
        return None
    if len(parts) > 1:
        name = re.split(r"\W", devices[0])[0]
        raise UserError(
            f"`noise` must be one device alone, or channels alone; got {text!r}; `qssl noise {name}` prints the "
            "device's average noise as channels, which can be edited."
        )
    if "=" in text:
        raise UserError(f"`noise` must give a device without a number, as in {text.partition('=')[0]}; got {text!r}.")
    return devices[0]


def read_noise(text: str) -> dict[str, float]:
    """Return the strength of each channel that `text` names, such as `depolarizing=0.01,readout=0.02`.

    `none` is {}, and so is a device, whose channels are those of each of its gates.

    Raises:
        UserError: An unknown channel, or a strength that is not a probability.
    """
    if text.strip() == "none" or device_of(text):
        return {}
    strengths = {}
    for part in text.split(","):
        name, number = (word.strip() for word in (*part.split("=", 1), "")[:2])
        if not name:
            raise UserError(f"`noise` must name a channel between its commas, as in readout=0.02; got {text!r}.")
        if name.removesuffix(TWO_QUBIT) not in CHANNELS and name not in (*READOUT, OVER_ROTATION):
            words = [f"{channel}=P" for channel in (*CHANNELS, *READOUT, OVER_ROTATION)]
            raise unknown_name("noise", name, ["none", *words, f"{DEVICES}DEVICE"])
        try:
            strength = float(number)
        except ValueError:
            strength = -1.0
        if not 0.0 <= strength <= 1.0:
            kind = "fraction" if name == OVER_ROTATION else "probability"
            raise UserError(f"`noise` must give '{name}' a {kind} from 0 to 1, as in {name}=0.01; got {number!r}.")
        if name in strengths:
            raise UserError(f"`noise` must name each channel once; got {name} twice in {text!r}.")
        strengths[name] = strength
    _check_readout(text, strengths)
    return strengths


def _check_readout(text: str, strengths: dict[str, float]) -> None:
    """Refuse readout errors that are given twice, or that are no channel on a qubit.

    Raises:
        UserError: With the rule.
    """
    if "readout" in strengths and ("readout_0" in strengths or "readout_1" in strengths):
        raise UserError(f"`noise` must give readout, or readout_0 and readout_1 in its place; got both in {text!r}.")
    if sum(strengths.get(name, 0.0) for name in READOUT[1:]) > 1:
        raise UserError(f"`noise` must give readout_0 and readout_1 with a sum of at most 1; got {text!r}.")


def noisy_blocks(blocks: Sequence[cirq.Circuit], strengths: dict[str, float], level: str) -> list[cirq.Circuit]:
    """Return the blocks with channels on each qubit after each gate that touches it, or once after each block.

    At level `gate`, two-qubit gates other than CX and CZ get their channels twice, since devices compile them to two
    CX. A measurement between layers is not a gate and gets none.
    """
    if level not in LEVELS:
        raise unknown_name("noise_level", level, LEVELS)
    one_qubit_channels = _channels(strengths)
    two_qubit_channels = _channels(
        {name: strengths.get(f"{name}{TWO_QUBIT}", strengths.get(name, 0.0)) for name in CHANNELS}
    )
    noisy = []
    for block in blocks:
        if all(operation.gate == DEPHASING for operation in block.all_operations()):
            noisy.append(block)
            continue
        operations: list[cirq.Operation] = []
        for operation in block.all_operations():
            operations.append(_over_rotated(operation, strengths.get(OVER_ROTATION, 0.0)))
            if level == "gate" and len(operation.qubits) == 1:
                operations += [channel(operation.qubits[0]) for channel in one_qubit_channels]
            elif level == "gate":
                times = 1 if _is_cx_or_cz(operation) else 2
                operations += times * [channel(qubit) for qubit in operation.qubits for channel in two_qubit_channels]
        if level == "layer":
            operations += [channel(qubit) for qubit in sorted(block.all_qubits()) for channel in one_qubit_channels]
        noisy.append(cirq.Circuit(operations))
    return noisy


def _over_rotated(operation: cirq.Operation, part: float) -> cirq.Operation:
    """Return a gate with an angle turned by 1 + part times that angle; others as they are.

    Raises:
        UserError: A gate with an angle that has no power.
    """
    if not part or not cirq.is_parameterized(operation):
        return operation
    further = cirq.pow(operation, 1 + part, None)
    if further is None:
        raise UserError(
            f"`noise` must leave {OVER_ROTATION} out here: {operation} is no rotation that can turn further."
        )
    return further


def _is_cx_or_cz(operation: cirq.Operation) -> bool:
    """Return whether an operation is X or Z under one control, however it is written and whatever the control is."""
    if operation.gate in (cirq.CX, cirq.CZ):
        return True
    sub_operation, controls, assignments = split_controls(operation)
    return len(controls) == len(assignments) == 1 and sub_operation.gate in (cirq.X, cirq.Z)


def _channels(strengths: dict[str, float]) -> list[cirq.Gate]:
    """Return the channels of positive strength, except readout errors and strengths for two-qubit gates."""
    return [CHANNELS[n](strength) for n, strength in strengths.items() if n in CHANNELS and strength]


def partial_measurement(qubits: Sequence[cirq.Qid]) -> cirq.Circuit:
    """Return a measurement of every other qubit in Z with discarded outcomes: full dephasing.

    arXiv:2103.14653 measures qubits 0, 2, 4, 6 between its two layers.
    """
    return cirq.Circuit(DEPHASING(qubit) for qubit in qubits[::2])


def readout_errors(qubits: Sequence[cirq.Qid], strengths: dict[str, float]) -> cirq.Circuit:
    """Return the channel on each qubit before its readout that flips the bit as often as the readout errs."""
    both = strengths.get("readout", 0.0)
    if both:
        return cirq.Circuit(cirq.bit_flip(both)(qubit) for qubit in qubits)
    up, down = (strengths.get(name, 0.0) for name in READOUT[1:])
    if not up + down:
        return cirq.Circuit()
    # It decays to |0> with probability p gamma and to |1> with (1 - p) gamma; phases no longer matter.
    channel = cirq.generalized_amplitude_damp(down / (up + down), up + down)
    return cirq.Circuit(channel(qubit) for qubit in qubits)
