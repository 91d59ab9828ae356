"""Peers in environments of their own, built by benchmarks/peers.sh: the same circuit, inputs and batch, in turn.

Each peer runs in a process that waits until it is told to run once; its values and gradients are compared with ours
first, so that a figure is never of another problem.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from environments import last_line
from heads import training_call
from timing import compared, medians

from qssl_tf.errors import UserError
from qssl_tf.models.encoders import build_encoder
from qssl_tf.models.quantum_head import QuantumHead

WORKERS = Path(__file__).resolve().parent / "workers"


@dataclass(frozen=True)
class Peer:
    """One rival: its name, environment, worker script with arguments, and the rows of its batch."""

    name: str
    environment: str
    worker: tuple[str, ...]
    rows: int
    rounds: int = 7


RINGS = (
    Peer("TensorCircuit-NG, JAX, compiled", "tensorcircuit", ("tensorcircuit_ring.py",), 512),
    Peer("PennyLane default.qubit, backprop", "pennylane", ("pennylane_ring.py", "default.qubit"), 512),
    Peer("PennyLane lightning.qubit, adjoint", "pennylane", ("pennylane_ring.py", "lightning.qubit"), 512),
    Peer("Qiskit Machine Learning, EstimatorQNN", "qiskit", ("qiskit_ring.py",), 2, rounds=3),
)
MIXED = Peer("PennyLane default.mixed, backprop", "pennylane", ("pennylane_ring.py", "default.mixed"), 2, rounds=3)
STRENGTHS = (0.01, 0.005, 0.02)  # depolarizing, amplitude damping, readout
TORCH = Peer("PyTorch", "torch", ("torch_encoder.py",), 256)


class Worker:
    """A peer's process."""

    def __init__(self, peer: Peer, environments: Path, problem: dict[str, np.ndarray], folder: Path):
        """Start it and wait for its first results."""
        self.environment, self.errors = environments / peer.environment, folder / "stderr"
        given, found = folder / "given.npz", folder / "found.npz"
        np.savez(given, **problem)
        command = [self.environment / "bin" / "python", WORKERS / peer.worker[0], given, found, *peer.worker[1:]]
        with open(self.errors, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._wait("ready")
        self.found = dict(np.load(found))

    def _wait(self, word: str) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.strip() == word:
                return
        status, said = self.process.wait(), last_line(self.errors.read_text(encoding="utf-8", errors="replace"))
        raise UserError(
            f"the peer's environment {self.environment} is broken: {self.process.args[1].name} ended with status "
            f"{status} ({said}); remove it and build the peers: sh benchmarks/peers.sh {self.environment.parent}"
        )

    def __call__(self) -> None:
        """Have it run once."""
        assert self.process.stdin
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._wait("done")

    def end(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def all_peers(environments: Path, versions: Mapping[str, Mapping[str, str]]) -> Iterator[dict[str, object]]:
    """Yield our times beside each peer's.

    Args:
        environments: The folder that benchmarks/peers.sh filled.
        versions: What `environments.checked` found there.
    """
    for peer in RINGS:
        found = versions[peer.environment]
        yield _against(peer, environments, found, "exact: forward + backward, ring", *_ring(peer.rows))
    found = versions[MIXED.environment]
    yield _against(MIXED, environments, found, "exact noise: forward + backward, ring", *_noisy_ring(MIXED.rows))
    found = versions[TORCH.environment]
    yield _against(TORCH, environments, found, "encoder: forward + backward of two views", *_encoder(TORCH.rows))


def _against(
    peer: Peer, environments: Path, versions: Mapping[str, str], what: str, call: Callable, problem: dict
) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(peer, environments, problem, Path(folder))
        for name, ours in zip(("values", "by_angles", "by_weights"), call(), strict=False):
            if name in worker.found:
                np.testing.assert_allclose(ours, worker.found[name], atol=2e-3)
        seconds = medians({"ours": call, peer.name: worker}, peer.rounds)
        worker.end()
    return compared(what, 8, peer.rows, None, seconds, versions)


def _noisy_ring(rows: int) -> tuple[Callable, dict[str, np.ndarray]]:
    depolarizing, damping, readout = STRENGTHS
    call, problem = _ring(rows, f"depolarizing={depolarizing},amplitude_damping={damping},readout={readout}")
    return call, problem | {"strengths": np.array(STRENGTHS)}


def _ring(rows: int, noise: str = "none") -> tuple[Callable, dict[str, np.ndarray]]:
    head, rng = QuantumHead(8, "ring", 2, noise=noise, seed=0), np.random.default_rng(0)
    problem = {
        "angles": rng.uniform(0, np.pi, (rows, 8)).astype(np.float32),
        "weights": head.parameters.numpy(),
        "upstream": rng.normal(size=(rows, 8)).astype(np.float32),
    }
    return training_call(head, tf.constant(problem["angles"]), tf.constant(problem["upstream"])), problem


def _encoder(rows: int) -> tuple[Callable, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    views = {name: rng.uniform(size=(rows, 32, 32, 3)).astype(np.float32) for name in ("view_a", "view_b")}
    encoder = build_encoder("resnet18", (32, 32, 3), 8, seed=0)
    first, second = (tf.constant(view) for view in views.values())

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            total = tf.add_n([tf.reduce_sum(encoder(view, training=True)) for view in (first, second)])
        gradients = tape.gradient(total, encoder.trainable_variables)
        return total, [tf.reduce_sum(gradient) for gradient in gradients]

    return lambda: step()[0].numpy()[np.newaxis], {**views, "width": np.array(8)}
