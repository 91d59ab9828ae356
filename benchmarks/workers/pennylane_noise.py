"""PennyLane with PyTorch: the ring on `default.mixed` with depolarizing, amplitude damping and readout errors."""

import pennylane as qml
import torch
from serve import problem, serve

given = {name: torch.tensor(array) for name, array in problem().items()}
width = given["angles"].shape[1]
depolarizing, damping, readout = (float(p) for p in given["strengths"])


def noise(wire, times=1):
    """Put the channels behind a gate; a controlled rotation counts as two CX."""
    for _ in range(times):
        qml.DepolarizingChannel(depolarizing, wires=wire)
        qml.AmplitudeDamping(damping, wires=wire)


@qml.qnode(qml.device("default.mixed", wires=width), interface="torch", diff_method="backprop")
def expectations(angles, weights):
    """Return <Z> of each qubit; the angles of all rows at once."""
    for i in range(width):
        qml.RX(angles[:, i], wires=i)
        noise(i)
    for layer in weights.reshape(-1, 2, width):
        for i in range(width):
            qml.RY(layer[0, i], wires=i)
            noise(i)
        for i in range(width):
            qml.CRX(layer[1, i], wires=(i, (i + 1) % width))
            for wire in (i, (i + 1) % width):
                noise(wire, times=2)
    for i in range(width):
        qml.BitFlip(readout, wires=i)
    return [qml.expval(qml.PauliZ(i)) for i in range(width)]


def call():
    """Run one forward and backward pass."""
    angles, weights = (given[name].clone().requires_grad_() for name in ("angles", "weights"))
    values = torch.stack(list(expectations(angles, weights)), dim=1)
    torch.sum(values * given["upstream"]).backward()
    return {
        "values": values.detach().numpy(),
        "by_angles": angles.grad.numpy(),
        "by_weights": weights.grad.numpy(),
    }


serve(call)
