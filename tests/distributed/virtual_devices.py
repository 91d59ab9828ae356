"""Run by test_strategies.py in a process of its own: what replicas compute together, beside one that has all rows.

Prints JSON: for each thing compared, the largest difference. Takes the number of replicas, settings of the training as
JSON, and the names of what is compared, without which it is all.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import tensorflow as tf

from qssl_tf.config import Config
from qssl_tf.distributed.options import StrategyOptions
from qssl_tf.distributed.strategies import make_strategy

REPLICAS = int(sys.argv[1])
STRATEGY = make_strategy(StrategyOptions("mirrored", replicas=REPLICAS), batch_size=64)

from judges.rounding import Training, judge  # noqa: E402 -- the devices come first
from judges.shards import plain_parts, plain_step  # noqa: E402

from qssl_tf.data.augment import AUGMENTATIONS  # noqa: E402
from qssl_tf.data.sources import load  # noqa: E402
from qssl_tf.distributed.replicas import gather, stacked_views  # noqa: E402
from qssl_tf.distributed.worker_step import worker_step  # noqa: E402
from qssl_tf.models.batch_norm import BatchNormalization  # noqa: E402
from qssl_tf.models.build import build_simclr  # noqa: E402
from qssl_tf.models.convolution import Conv2D  # noqa: E402
from qssl_tf.models.online_probe import OnlineProbe  # noqa: E402
from qssl_tf.models.optimizers import AdamL2, SharedLossScale  # noqa: E402
from qssl_tf.models.quantum_head import QuantumHead  # noqa: E402
from qssl_tf.models.simclr import SimCLR  # noqa: E402
from qssl_tf.objectives.contrastive import NTXent  # noqa: E402

RNG = np.random.default_rng(0)
MEASURED = (
    {"shots": 20},
    {"shots": 20, "gradient": "parameter_shift", "partial_measurement": True},
    {"shots": 20, "gradient": "spsa"},
    {"gradient": "spsa", "simulator": "tfq"},
)


def shares(array):
    """Return the array's rows, cut into one part for each replica."""
    parts = np.split(array, REPLICAS)
    return STRATEGY.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )


def rows(per_replica):
    return np.concatenate([part.numpy() for part in STRATEGY.experimental_local_results(per_replica)])


def total(per_replica):
    return np.sum([part.numpy() for part in STRATEGY.experimental_local_results(per_replica)], axis=0)


def distance(a, b):
    return float(np.max(np.abs(np.asarray(a) - np.asarray(b))))


def compare_loss():
    """NT-Xent of 64 pairs and its gradient by both views."""
    loss, z = NTXent(0.07), [RNG.normal(size=(64, 8)).astype(np.float32) for _ in range(2)]

    def together(z_a, z_b):
        with tf.GradientTape() as tape:
            tape.watch([z_a, z_b])
            value = loss(*tf.split(gather(tf.concat([z_a, z_b], 1)), 2, axis=1))  # Keras divides it by the replicas
        return value, *tape.gradient(value, [z_a, z_b])

    value, *gradients = STRATEGY.run(tf.function(together), args=[shares(part) for part in z])
    parts = [tf.constant(part) for part in z]
    with tf.GradientTape() as tape:
        tape.watch(parts)
        alone = loss(*parts)
    expected = tape.gradient(alone, parts)
    return {
        "loss": distance(total(value), alone),
        "loss gradient": max(distance(rows(mine), its) for mine, its in zip(gradients, expected, strict=True)),
    }


def compare_batch_norm(shape):
    """Outputs, gradients and running statistics beside the formulas over all rows (arXiv:1502.03167, Section 3)."""
    x, upstream = RNG.normal(3.0, 2.0, shape), RNG.normal(0.0, 1.0, shape)
    with STRATEGY.scope():
        layer = BatchNormalization(momentum=0.9, epsilon=1e-5)
        layer.build((None, *shape[1:]))
    for variable in layer.variables:
        variable.assign(RNG.uniform(0.5, 1.5, variable.shape))
    gamma, beta, running_mean, running_variance = (variable.numpy().astype(float) for variable in layer.variables)

    axes, count = tuple(range(x.ndim - 1)), x.size / x.shape[-1]
    mean, variance = x.mean(axes), x.var(axes)
    slope = 1 / np.sqrt(variance + 1e-5)
    hat = (x - mean) * slope
    for_beta, for_gamma = upstream.sum(axes), (upstream * hat).sum(axes)
    for_x = gamma * slope * (upstream - for_beta / count - hat * for_gamma / count)
    expected = (gamma * hat + beta, for_x, for_gamma, for_beta)

    def step(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            value = tf.reduce_sum(y * upstream)
        return y, *tape.gradient(value, [x, layer.gamma.value, layer.beta.value])

    y, *gradients = STRATEGY.run(tf.function(step), args=(shares(x.astype("f")), shares(upstream.astype("f"))))
    found = (rows(y), rows(gradients[0]), total(gradients[1]), total(gradients[2]))
    statistics = (0.9 * running_mean + 0.1 * mean, 0.9 * running_variance + 0.1 * variance)
    return {
        "outputs": distance(found[0], expected[0]),
        "gradients": max(distance(a, b) / np.max(np.abs(b)) for a, b in zip(found[1:], expected[1:], strict=True)),
        "running statistics": max(
            distance(copy.numpy(), its)
            for mine, its in zip(layer.non_trainable_variables, statistics, strict=True)
            for copy in STRATEGY.experimental_local_results(mine.value)
        ),
    }


def first_adam_step(before, after):
    """Return the weights that Adam makes of those that SGD, with a rate of 0.1, made (arXiv:1412.6980, Algorithm 1)."""
    gradient = (before - after) / 0.1
    return before - 0.1 * gradient / (np.abs(gradient) + ADAM_EPSILON / np.sqrt(1 - 0.999))


def compare_local(chunks=1, optimizer=None):
    """A step with local statistics beside Keras's own layers on each shard of each view, and on all rows at once.

    Args:
        chunks: In how many chunks the rows of a replica pass the encoder.
        optimizer: Makes what trains by Adam, or None for SGD.
    """
    chunk_size = 16 // REPLICAS // chunks if chunks > 1 else None
    views = [RNG.uniform(size=(16, 6, 6, 1)).astype("f") for _ in range(2)]
    with STRATEGY.scope():
        encoder, projector = plain_parts(BatchNormalization)
        model = SimCLR(encoder, keras.layers.Identity(), projector, "local", chunk_size)
        model.compile(optimizer() if optimizer else keras.optimizers.SGD(0.1), loss=NTXent(0.2))
        model.optimizer.build(model.trainable_variables)
    start = model.get_weights()
    logs = STRATEGY.run(tf.function(model.train_step), args=((shares(views[0]), shares(views[1])),))
    loss, expected = plain_step(start, views, chunks * REPLICAS, REPLICAS)
    other_loss, others = plain_step(start, views, 1)
    if optimizer:
        steps = zip(model.weights, start, expected, strict=True)
        expected = [first_adam_step(a, b) if variable.trainable else b for variable, a, b in steps]
    copies = [
        np.concatenate([local(variable, number).numpy().ravel() for variable in model.weights])
        for number in range(REPLICAS)
    ]
    way = max(distance(a, b) for a, b in zip(expected, start, strict=True))

    def farthest(weights):
        return max(distance(mine, its) for mine, its in zip(weights, expected, strict=True)) / way

    return {
        "loss": abs(float(rows(logs["loss"])[0]) - loss),
        "loss of all rows": abs(other_loss - loss),
        "weights and statistics": farthest(model.get_weights()),
        "those of all rows": farthest(others),
        "between replicas": max(distance(copy, copies[0]) for copy in copies),
    }


def compare_worker_step():
    """Three steps by the function that workers use, beside Keras's own, which reduces over replicas."""
    views = tuple(RNG.uniform(size=(48, 6, 6, 1)).astype("f") for _ in range(2))
    pairs = tf.data.Dataset.from_tensor_slices(views).batch(16)
    with STRATEGY.scope():
        encoder, projector = plain_parts(BatchNormalization)
        model = SimCLR(encoder, keras.layers.Identity(), projector)
        model.compile(AdamL2(0.01), loss=NTXent(0.2))
        model.optimizer.build(model.trainable_variables)
    model.step_logs = True
    start, found_logs = [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]], []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: found_logs.append(logs))
    model.fit(pairs, verbose=0, callbacks=[keep])
    expected = model.get_weights()
    for variable, value in zip([*model.variables, *model.optimizer.variables], start, strict=True):
        variable.assign(value)
    batches, step = iter(STRATEGY.experimental_distribute_dataset(pairs)), worker_step(model)
    found = [step(batches) for _ in range(3)]
    return {
        name: max(abs(float(mine[name]) - its[name]) for mine, its in zip(found, found_logs, strict=True))
        for name in found_logs[0]
    } | {"weights": max(distance(a, b) for a, b in zip(model.get_weights(), expected, strict=True))}


def local(variable, number):
    """Return a replica's copy of a variable."""
    return STRATEGY.experimental_local_results(variable.value)[number]


def compare_kernels():
    """Steps of the optimizer on a convolution whose output is one pixel, beside one that gets all rows at once."""
    x, upstream = RNG.normal(size=(64, 2, 1, 3)).astype("f"), RNG.normal(size=(64, 1, 1, 5)).astype("f")
    start = RNG.normal(size=(3, 3, 3, 5)).astype("f")

    def trained(strategy, give):
        with strategy.scope():
            layer, optimizer = Conv2D(5, 3, strides=2), AdamL2(0.01, l2=0.1, epsilon=1e-8)
            layer.build((None, 2, 1, 3))
            layer.kernel.assign(start)
            optimizer.build([layer.kernel])

        def step(x, upstream):
            with tf.GradientTape() as tape:
                value = tf.reduce_sum(layer(x) * upstream)
            optimizer.apply(tape.gradient(value, [layer.kernel.value]), [layer.kernel])

        for _ in range(2):
            strategy.run(tf.function(step), args=(give(x), give(upstream)))
        return layer.kernel.numpy()

    alone, together = trained(tf.distribute.get_strategy(), tf.constant), trained(STRATEGY, shares)
    return {"weights": distance(alone, together), "way": distance(alone, start)}


def compare_scaled():
    """Steps of a scaled loss beside plain ones on the sum of the gradients; then one replica alone overflows."""
    parts, start = RNG.normal(size=(REPLICAS, 5)).astype("f"), RNG.normal(size=5).astype("f")
    with STRATEGY.scope():
        weight = keras.Variable(start)
        scaled = SharedLossScale(AdamL2(0.01, epsilon=1e-8), initial_scale=2.0**15)
        scaled.build([weight])
    plain = keras.Variable(start)
    judge = keras.optimizers.Adam(0.01, epsilon=1e-8)

    def step(gradients):
        STRATEGY.run(tf.function(lambda gradient: scaled.apply([gradient], [weight])), args=(shares(gradients),))

    for _ in range(2):
        step((2.0**15 * parts).ravel())
        judge.apply([tf.constant(parts.sum(0))], [plain])
    found, after = {"weights": distance(weight.numpy(), plain.numpy())}, weight.numpy()
    for number in range(REPLICAS):
        overflowed = (2.0**15 * parts).astype("f")
        overflowed[number, 0] = np.inf
        step(overflowed.ravel())
        found[f"moved by the overflow of replica {number}"] = distance(weight.numpy(), after)
    return found | {"scale": float(scaled.dynamic_scale.numpy())}


def compare_shots(simulator):
    """Every replica measures the same angles, whose expectations are known: RX(angle) gives <Z> = cos(angle)."""
    shots, angles = 500, RNG.uniform(0.3, 2.8, (64, 4)).astype(np.float32)
    with STRATEGY.scope():
        head = QuantumHead(width=4, ansatz="none", shots=shots, gradient="parameter_shift", simulator=simulator, seed=3)
        head.build((None, 4))
        head.parameters.assign(np.zeros(head.parameters.shape))  # the encoding alone
    run = tf.function(lambda: (head(angles), head(angles)))
    calls = [STRATEGY.experimental_local_results(each) for each in STRATEGY.run(run)]
    found = np.array([part.numpy().ravel() for parts in calls for part in parts])  # (2 * replicas, 64 * 4)
    expected = np.cos(angles).ravel()
    z = (found - expected) / np.sqrt((1 - expected**2) / shots)
    return {
        "largest z": float(np.max(np.abs(z))),
        "largest correlation": float(np.max(np.abs(np.corrcoef(z) - np.eye(len(z))))),
        "spread": float(np.mean(z**2)),
    }


def compare_views(settings):
    """Two stacked views on the replicas beside one view after the other on one: shots and signs are those of the rows.

    Of 20 shots, so that another draw moves an expectation by a tenth.
    """
    views = RNG.uniform(0.3, 2.8, (2, 32, 3)).astype("f")
    upstream = RNG.normal(size=(2, 32, 3)).astype("f")

    def step(head, calls, upstream):
        with tf.GradientTape() as tape:
            tape.watch(calls)
            outputs = [head(angles) for angles in calls]
            value = tf.add_n([tf.reduce_sum(y * up) for y, up in zip(outputs, upstream, strict=True)])
        return outputs, *tape.gradient(value, [calls, head.parameters.value])

    def stacked(*parts):  # parts of view a, of view b and what comes from above for each
        with stacked_views(2):
            return step(head, [tf.concat(parts[:2], 0)], [tf.concat(parts[2:], 0)])

    head = QuantumHead(3, "ring", 2, seed=5, **settings)
    outputs, by_angles, by_weights = step(head, [tf.constant(view) for view in views], list(upstream))
    with STRATEGY.scope():
        head = QuantumHead(3, "ring", 2, seed=5, **settings)
        head.build((None, 3))
    found = STRATEGY.run(tf.function(stacked), args=[shares(part) for part in (*views, *upstream)])

    def unstacked(per_replica):  # a replica's rows of view a, then of view b -> both views
        parts = [part.numpy() for part in STRATEGY.experimental_local_results(per_replica)]
        return np.concatenate([np.split(part, 2) for part in parts], axis=1)

    return {
        "outputs": distance(unstacked(found[0][0]), outputs),
        "gradient by angles": distance(unstacked(found[1][0]), by_angles),
        "gradient by weights": distance(total(found[2]), by_weights),
    }


def compare_objective(objective, batch_statistics="global"):
    """Two steps of SGD on the replicas beside those of one process: weights, statistics, target network and queue.

    How far the one process parts from itself is measured too: with weights moved to neighbouring floats, and with one
    other image in each batch (see judges/rounding.py). With statistics of their own, the replicas are compared with
    each other alone.
    """
    settings = {"objective": objective, "head": "classical", "width": 3, "batch_size": 16, "queue_size": 24}
    config = Config(**settings, target_rate=0.5, batch_statistics=batch_statistics)
    lights = RNG.uniform(size=(4, 16, 1, 1, 1))  # of images that are too alike, batch norms would show the rounding
    views, labels = (lights * RNG.uniform(size=(4, 16, 8, 8, 1))).astype("f"), np.array([0, 1, 2, -1] * 4, np.int32)

    def stepped(strategy, give, images=views, is_moved=False):
        with strategy.scope():
            model = build_simclr(config, (8, 8, 1), AUGMENTATIONS["digits"](8))
            model.compile(keras.optimizers.SGD(0.05), loss=model.loss)
            model.optimizer.build(model.trainable_variables)
        start, step, losses = model.get_weights(), tf.function(model.train_step), []
        for variable in model.trainable_variables if is_moved else ():
            side = RNG.choice(np.float32([-np.inf, np.inf]), variable.shape)
            variable.assign(np.nextafter(variable.numpy(), side))
        model.step_logs = True
        for pair in (images[:2], images[2:]):
            losses.append(strategy.run(step, args=((*map(give, pair), give(labels)),))["loss"])
        return model, start, losses

    model, start, losses = stepped(STRATEGY, shares)
    copies = [np.concatenate([local(w, number).numpy().ravel() for w in model.weights]) for number in range(REPLICAS)]
    found = {"between replicas": max(distance(copy, copies[0]) for copy in copies)}
    if batch_statistics == "local":
        return found
    alone, other = tf.distribute.get_strategy(), views.copy()
    other[:, 0] = RNG.uniform(size=other[:, 0].shape)
    judge, _, expected = stepped(alone, tf.constant)
    moved, one_image = stepped(alone, tf.constant, is_moved=True), stepped(alone, tf.constant, other)
    way = max(distance(a, b) for a, b in zip(judge.get_weights(), start, strict=True))
    values = [STRATEGY.experimental_local_results(each)[0] for each in losses]
    others = {"": (model, start, values), "rounding: ": moved, "one image: ": one_image}
    for name, (its, _, values) in others.items():
        parts = [distance(a, b) / way for a, b in zip(its.get_weights(), judge.get_weights(), strict=True)]
        found[f"{name}weights and what is kept"] = max(parts)
        found[f"{name}losses"] = distance(np.array(values, float), np.array(expected, float))
    return found


def compare_online_probe():
    """Three steps of the online probe on replicas beside those of one process: accuracies, and all that it keeps."""
    views, labels = RNG.normal(size=(3, 2, 16, 3)).astype("f"), np.array([0, 1, 2, -1] * 4, np.int32)

    def stepped(strategy, give):
        with strategy.scope():
            probe = OnlineProbe(3, 3, seed=0)
        step = tf.function(lambda pair, known: probe.step(pair, known)[tf.newaxis])
        found = [strategy.run(step, args=([give(view) for view in pair], give(labels))) for pair in views]
        return [variable.numpy() for variable in probe.variables], [rows(part)[0] for part in found]

    (mine, accuracies), (its, expected) = (
        stepped(STRATEGY, shares), stepped(tf.distribute.get_strategy(), tf.constant)
    )  # fmt: skip
    return {
        "accuracies": distance(np.array(accuracies), np.array(expected)),
        "variables": max(distance(a, b) for a, b in zip(mine, its, strict=True)),
    }


def compare_training():
    """20 steps of the digits preset beside those of one process."""
    config = Config(batch_size=64, steps=20, learning_rate=2e-5, **json.loads(sys.argv[2]))
    with tempfile.TemporaryDirectory() as folder:
        alone = judge(config, Path(folder))
        arrays, losses = Training(config, load(config), STRATEGY).run(Path(folder))
    alone.agrees(arrays, losses)
    return {"parts": alone.parts(arrays), "rounding": alone.rounding, "one image": alone.one_image}


ADAM_EPSILON = 0.01  # so large that a step depends smoothly on the gradient


def adam():
    """Return the package's Adam, whose message takes the running statistics along."""
    return AdamL2(0.1, epsilon=ADAM_EPSILON)


COMPARED = {
    "nt-xent": compare_loss,
    "images": lambda: compare_batch_norm((64, 6, 5, 3)),
    "vectors": lambda: compare_batch_norm((64, 7)),
    "local": compare_local,
    "chunks": lambda: compare_local(chunks=2),
    "adam": lambda: compare_local(optimizer=adam),
    "scaled adam": lambda: compare_local(optimizer=lambda: SharedLossScale(adam(), initial_scale=8.0)),
    "worker step": compare_worker_step,
    "kernels": compare_kernels,
    "scaled": compare_scaled,
    "shots": lambda: {simulator: compare_shots(simulator) for simulator in ("tfq", "xla")},
    "views": lambda: {str(settings): compare_views(settings) for settings in MEASURED},
    "objectives": lambda: {
        name: compare_objective(name) for name in ("simsiam", "byol", "moco", "supervised", "vicreg")
    },
    "local objectives": lambda: {name: compare_objective(name, "local") for name in ("byol", "moco")},
    "online probe": compare_online_probe,
    "training": compare_training,
}
print(json.dumps({name: COMPARED[name]() for name in sys.argv[3:] or COMPARED}))
