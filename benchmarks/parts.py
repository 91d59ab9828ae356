"""What each part of a step costs, against what it grows with, and the model that is fitted to it.

Times on this machine, medians of seven; docs/scaling.md describes the model.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from heads import head_call
from replicas import addresses, started
from scipy.optimize import nnls
from timing import machine, medians

from qssl_tf.data.augment import augmentation
from qssl_tf.data.pipeline import view_maker
from qssl_tf.models.build import build_simclr
from qssl_tf.objectives.contrastive import NTXent, contrastive_accuracy
from qssl_tf.presets import PRESETS

IMAGES = {"digits": (8, 8, 1), "best": (32, 32, 3), "paper": (32, 32, 3)}
HEADS = [(4, 256), (8, 64), (8, 256), (8, 1024), (12, 64), (12, 256), (16, 16), (20, 1)]
SHOTS = [(8, 64, 100), (8, 256, 100), (8, 64, 1000), (12, 16, 100)]
BATCHES = (64, 256, 1024, 4096)


def one(call: Any) -> float:
    """Return the median seconds of a call."""
    return medians({"it": call})["it"]


def parts(preset: str, batch: int) -> dict[str, float]:
    """Return the seconds of the parts of a step on `batch` images that grow with the images or the parameters."""
    config = replace(PRESETS[preset], batch_size=batch)
    augment = augmentation(config, IMAGES[preset])
    model = build_simclr(config, IMAGES[preset], augment)
    pixels = tf.random.stateless_uniform((batch, *IMAGES[preset]), (1, 2))
    views = view_maker(augment, 0)
    make = tf.function(lambda: views(pixels, tf.constant(3), tf.range(batch)), autograph=False)
    pair = make()

    gradients = [tf.ones(weight.shape) for weight in model.trainable_variables]

    @tf.function(autograph=False)
    def optimizer():
        model.optimizer.apply(gradients, model.trainable_variables)
        return model.optimizer.iterations.value + 0

    step = tf.function(lambda: model.train_step(pair), autograph=False)
    seconds = medians(
        {
            "views": lambda: make()[0].numpy(),
            "optimizer": lambda: optimizer().numpy(),
            "step": lambda: step()["loss"].numpy(),
        }
    )
    return {"parameters": float(sum(np.prod(weight.shape) for weight in model.trainable_variables)), **seconds}


def loss_seconds(batch: int) -> float:
    """Return the seconds of NT-Xent, its gradient and the accuracy on `batch` pairs of 8 numbers."""
    z = tf.random.stateless_normal((2, batch, 8), (1, 2))

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = NTXent(0.2)(z[0], z[1])
        return tape.gradient(value, z), contrastive_accuracy(z[0], z[1])

    return one(lambda: step()[0].numpy())


def messages(workers: int) -> dict[str, Any]:
    """Return what workers on this machine, each with its share of the cores, need to tell each other something."""
    cores = sorted(os.sched_getaffinity(0))
    where = ",".join(addresses(workers))
    with tempfile.TemporaryDirectory() as folder:  # for their secret
        processes = [
            started(["benchmarks/workers/messages.py", str(number), where, folder], [cores[number % len(cores)]])
            for number in range(workers)
        ]
        outputs = [process.communicate()[0] for process in processes]
    return json.loads(outputs[0])


def fitted(rows: Sequence[Sequence[float]], seconds: Sequence[float]) -> tuple[list[float], float]:
    """Fit seconds by non-negative multiples of the columns, all relative errors alike.

    Returns:
        The multiples, and the largest relative error.
    """
    weights = 1 / np.array(seconds)
    found, _ = nnls(np.array(rows, float) * weights[:, np.newaxis], np.ones(len(seconds)))
    errors = np.array(rows, float) @ found * weights - 1
    return found.tolist(), float(np.max(np.abs(errors)))


def measured() -> dict[str, Any]:
    """Return all times and the constants of the model."""
    keras.utils.disable_interactive_logging()
    found: dict[str, Any] = {"machine": machine()}
    found["messages"] = {workers: messages(workers) for workers in (2, 4)}
    found["parts"] = {name: parts(name, PRESETS[name].batch_size) for name in IMAGES}
    found["loss"] = {batch: loss_seconds(batch) for batch in BATCHES}
    calls = {(n, rows, None): head_call("xla", n, rows) for n, rows in HEADS}
    calls |= {each: head_call("xla", *each[:2], shots=each[2], gradient="parameter_shift") for each in SHOTS}
    keys = ("qubits", "rows", "shots")
    found["heads"] = [dict(zip(keys, each, strict=True)) | {"seconds": s} for each, s in medians(calls).items()]
    exact = [each for each in found["heads"] if each["shots"] is None]
    amplitudes = [[1, each["rows"] * each["qubits"] * 2 ** each["qubits"]] for each in exact]
    found["model"] = {
        "head: seconds a call, and a row, qubit and amplitude": fitted(amplitudes, [each["seconds"] for each in exact]),
        "loss: seconds a call, and a pair of pairs": fitted(
            [[1, batch**2] for batch in found["loss"]], list(found["loss"].values())
        ),
    }
    return found
