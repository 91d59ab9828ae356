"""What `online_probe.py` measures: steps with and without the probe, the probe alone, and whole runs."""

import statistics
import tempfile
import time
from dataclasses import replace

import cirq
import numpy as np
import tensorflow as tf

import qssl_tf as q
from qssl_tf.data.augment import augmentation
from qssl_tf.models.build import build_simclr
from qssl_tf.models.online_probe import OnlineProbe
from qssl_tf.quantum.observables import observables
from qssl_tf.training.history import read_history
from qssl_tf.training.online_test import OnlineTest

CLASSES = 5
CALLS = 20  # of what takes about a millisecond
IMAGE = {"digits": (8, 8, 1), "best": (32, 32, 3), "paper": (32, 32, 3)}


def step_call(preset: str, with_probe: bool):
    """Return a call of a preset's train step on one batch that waits for its loss, as a run has it."""
    config = q.PRESETS[preset]
    augment = augmentation(config, IMAGE[preset])
    model = build_simclr(config, IMAGE[preset], augment)
    model.step_logs = True
    if with_probe:
        features = model.head.compute_output_shape(model.encoder.output_shape)[-1]
        model.online_probe = OnlineProbe(features, CLASSES, seed=0)
    shape = (config.batch_size, *augment.compute_output_shape((None, *IMAGE[preset]))[1:])
    views = tuple(tf.random.stateless_uniform(shape, (view, 0)) for view in (1, 2))
    labels = tf.constant(np.arange(config.batch_size) % CLASSES, tf.int32)
    step = tf.function(lambda: model.train_step((*views, labels)), autograph=False)
    return lambda: step()["loss"].numpy()


def cost(preset: str, rounds: int) -> dict[str, object]:
    """Return medians of wall and processor seconds of a step without and with the probe, and their ratios."""
    rivals = {"without": step_call(preset, False), "with": step_call(preset, True)}
    for call in rivals.values():
        call()  # compiles
    wall: dict[str, list[float]] = {name: [] for name in rivals}
    processor: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, call in rivals.items():
            call()  # the other has left its memory and threads
            start, used = time.perf_counter(), time.process_time()
            call()
            wall[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - used)
    found: dict[str, object] = {"what": f"train step, preset {preset}", "rounds": rounds}
    for kind, seconds in (("wall", wall), ("processor", processor)):
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        found |= {f"{kind}_{name}_s": value for name, value in medians.items()}
        found[f"{kind}_ratio"] = medians["with"] / medians["without"]
    return found


def alone(preset: str, rounds: int) -> dict[str, object]:
    """Return median wall and processor seconds of the probe's own operations on features of a preset's batch."""
    config = q.PRESETS[preset]
    features = len(observables(config.observables, cirq.LineQubit.range(config.width)))
    probe, shape = OnlineProbe(features, CLASSES, seed=0), (config.batch_size, features)
    views = [tf.random.stateless_uniform(shape, (view, 0), -1.0, 1.0) for view in (1, 2)]
    labels = tf.constant(np.arange(config.batch_size) % CLASSES, tf.int32)
    step = tf.function(lambda: probe.step(views, labels), autograph=False)
    step()  # traces
    seconds = []
    for _ in range(rounds):
        start, used = time.perf_counter(), time.process_time()
        for _ in range(CALLS):
            step().numpy()
        seconds.append(((time.perf_counter() - start) / CALLS, (time.process_time() - used) / CALLS))
    wall, processor = (statistics.median(values) for values in zip(*seconds, strict=True))
    return {"what": f"online probe alone, preset {preset}", "rounds": rounds, "wall_s": wall, "processor_s": processor}


def accuracy(seed: int) -> dict[str, object]:
    """Return the accuracies in percent that one run of the preset `digits` ends with."""
    with tempfile.TemporaryDirectory() as folder:
        run = q.pretrain(config=replace(q.PRESETS["digits"], seed=seed, online_probe=True), runs_dir=folder)
        rows = read_history(run.folder / "history.csv")
        held_out = read_history(run.folder / "online.csv", OnlineTest.columns)
        after = q.linear_probe(run).accuracy_last
    online = 100 * float(held_out[-1]["accuracy"])
    views = 100 * statistics.mean(float(row["online_accuracy"]) for row in rows[-50:])
    return {"seed": seed, "online": online, "probe": after, "apart": online - after, "views_of_last_50_steps": views}
