"""PennyLane with PyTorch: the ring on the device named last on the command line, with noise if strengths are given."""

import sys

import pennylane as qml
import torch
from serve import problem, serve

given = {name: torch.tensor(array) for name, array in problem().items()}
width, device = given["angles"].shape[1], sys.argv[3]
method = {"default.qubit": "backprop", "lightning.qubit": "adjoint", "default.mixed": "backprop"}[device]
strengths = [float(strength) for strength in given.get("strengths", ())]  # depolarizing, amplitude damping, readout


def noise(*wires, times=1):
    """Put the channels behind a gate; a controlled rotation counts as two CX."""
    for wire in times * wires if strengths else ():
        qml.DepolarizingChannel(strengths[0], wires=wire)
        qml.AmplitudeDamping(strengths[1], wires=wire)


@qml.qnode(qml.device(device, wires=width), interface="torch", diff_method=method)
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
            noise(i, (i + 1) % width, times=2)
    for i in range(width) if strengths else ():
        qml.BitFlip(strengths[2], wires=i)
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
