"""PennyLane with PyTorch: the ring on the device named last on the command line."""

import sys

import pennylane as qml
import torch
from serve import problem, serve

given = {name: torch.tensor(array) for name, array in problem().items()}
width, device = given["angles"].shape[1], sys.argv[3]
method = {"default.qubit": "backprop", "lightning.qubit": "adjoint"}[device]


@qml.qnode(qml.device(device, wires=width), interface="torch", diff_method=method)
def expectations(angles, weights):
    """Return <Z> of each qubit; the angles of all rows at once."""
    for i in range(width):
        qml.RX(angles[:, i], wires=i)
    for layer in weights.reshape(-1, 2, width):
        for i in range(width):
            qml.RY(layer[0, i], wires=i)
        for i in range(width):
            qml.CRX(layer[1, i], wires=(i, (i + 1) % width))
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
