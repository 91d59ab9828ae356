"""Whether a GPU computes what a processor does: the circuit, its gradients, and what a short training learns."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import as_float, view_pairs
from qssl_tf.data.sources import digits
from qssl_tf.models.build import build_simclr
from qssl_tf.models.quantum_head import QuantumHead

HEADS: dict[str, dict[str, Any]] = {
    "exact": {},
    "z_zz, strongly entangling": {"ansatz": "strongly_entangling", "observables": "z_zz"},
    "noise": {"noise": "depolarizing=0.01"},
}
SHOTS = 10_000


@contextmanager
def short_products(allowed: bool) -> Iterator[None]:
    """Allow or forbid TensorFloat-32, whose products have 10 bits, within the block."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(allowed)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


def values_and_gradients(head: Any, angles: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    """Return expectations and the gradients of angles and weights."""
    with tf.GradientTape() as tape:
        x = tf.constant(angles)
        tape.watch(x)
        values = head(x)
        total = tf.reduce_sum(values * upstream)
    return [values.numpy(), *(each.numpy() for each in tape.gradient(total, [x, *head.trainable_variables]))]


def shifted(head: Any, angles: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """Return the gradient of the angles by the shift rule of a rotation, which is exact: two more runs an angle."""
    columns = []
    for column in range(angles.shape[1]):
        step = np.zeros_like(angles)
        step[:, column] = np.pi / 2
        difference = head(tf.constant(angles + step)).numpy() - head(tf.constant(angles - step)).numpy()
        columns.append((difference * upstream).sum(axis=1) / 2)
    return np.stack(columns, axis=1)


def of_head(name: str, tf32: bool, rows: int) -> dict[str, Any]:
    """Return the largest errors of a head on the default device, against the processor and the shift rule."""
    rng, settings = np.random.default_rng(0), HEADS[name]
    angles = rng.uniform(0, np.pi, (rows, 8)).astype(np.float32)
    with tf.device("CPU"):
        judge = QuantumHead(8, seed=1, **settings)
        upstream = rng.normal(size=judge(angles[:1]).shape[1:]).astype(np.float32)
        right = values_and_gradients(judge, angles, upstream)
    head = QuantumHead(8, seed=1, **settings)  # switches TF32 off
    with short_products(tf32):  # read when XLA compiles, so that each state needs rows of its own
        found = values_and_gradients(head, angles, upstream)
        by_rule = shifted(head, angles, upstream)
    errors = [float(np.max(np.abs(one - other))) for one, other in zip(found, right, strict=True)]
    return {
        "what": f"head {name}, 8 qubits",
        "tf32": tf32,
        "expectations": errors[0],
        "gradient_of_angles": errors[1],
        "gradient_of_weights": errors[2],
        "angles_by_shift_rule": float(np.max(np.abs(found[1] - by_rule))),
    }


def of_shots(rows: int) -> dict[str, Any]:
    """Return the largest distance of sampled from exact expectations, in standard deviations."""
    angles = np.random.default_rng(2).uniform(0, np.pi, (rows, 8)).astype(np.float32)
    exact = QuantumHead(8, seed=1)(angles).numpy()
    sampled = QuantumHead(8, seed=1, shots=SHOTS)(angles).numpy()
    deviations = (sampled - exact) / np.sqrt(np.maximum(1 - exact**2, 1e-3) / SHOTS)
    return {
        "what": f"head with {SHOTS} shots, {deviations.size} expectations, in standard deviations",
        "largest": float(np.max(np.abs(deviations))),
        "rms": float(np.sqrt(np.mean(deviations**2))),
    }


def all_checks(small: bool) -> Iterator[dict[str, Any]]:
    """Yield the errors of each head with and without short products, then those of shots."""
    for name in list(HEADS)[: 1 if small else None]:
        for count, tf32 in enumerate((False, True)):
            yield of_head(name, tf32, (8 if small else 64) + count)
    yield of_shots(8 if small else 64)


def trainings(end: float, small: bool) -> Iterator[dict[str, Any]]:
    """Yield what digits learn in some hundred steps, on the GPU and on the processor, seed by seed."""
    steps = 3 if small else 300
    places = ("CPU:0",) if not tf.config.list_logical_devices("GPU") else ("GPU:0", "CPU:0")
    for seed in (0, 1):
        for place in places:
            if time.perf_counter() > end:
                print(f"left out for want of time: digits, seed {seed}, on {place}", flush=True)
                continue
            yield trained(place, seed, steps)


def trained(place: str, seed: int, steps: int) -> dict[str, Any]:
    """Return loss and test accuracy of logistic regression on the head's features after some steps."""
    config = replace(Config(), seed=seed, steps=steps)
    data = digits(config)
    augment = augmentation(config, data.image_shape)
    pairs = view_pairs(data.train.images, augment, config.batch_size, seed, steps)
    with tf.device(place):
        model = build_simclr(config, data.image_shape, augment)
        step = tf.function(model.train_step, autograph=False)
        model.step_logs = True
        began = time.perf_counter()
        losses = [float(step(pair)["loss"]) for pair in pairs]
        seconds = time.perf_counter() - began
        features = [model.features(as_float(split.images), training=False).numpy() for split in (data.train, data.test)]
    return {
        "what": f"digits, {steps} steps, seed {seed}",
        "device": place,
        "first_loss": losses[0],
        "last_losses": float(np.mean(losses[-20:])),
        "test_accuracy": accuracy(features, data),
        "seconds": seconds,
    }


def accuracy(features: list[np.ndarray], data: Any) -> float:
    """Return the test accuracy of scikit-learn's logistic regression."""
    from sklearn.linear_model import LogisticRegression

    judge = LogisticRegression(C=100.0, max_iter=2000).fit(features[0], data.train.labels)
    return float(judge.score(features[1], data.test.labels))
