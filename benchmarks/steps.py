"""One whole training step of the paper's preset: quantum heads against the classical one."""

from collections.abc import Iterator
from dataclasses import replace

import tensorflow as tf
from timing import compared, medians

from qssl_tf.data.augment import augmentation
from qssl_tf.models.simclr import build_simclr
from qssl_tf.presets import PRESETS

ARMS = {
    "exact": {},
    "100 shots, shift gradient": {"shots": 100, "gradient": "parameter_shift"},
}


def step_call(**settings):
    """Return a call of the train step on one batch of pairs of views, 32 x 32 x 3, that waits for its loss."""
    config = replace(PRESETS["paper"], **settings)
    augment = augmentation(config, 32)
    model = build_simclr(config, (32, 32, 3), augment)
    shape = (config.batch_size, *augment.compute_output_shape((None, 32, 32, 3))[1:])
    views = tuple(tf.random.stateless_uniform(shape, (view, 0)) for view in (1, 2))
    step = tf.function(lambda: model.train_step(views), autograph=False)
    return lambda: step()["loss"].numpy(), config


def all_steps() -> Iterator[dict[str, object]]:
    """Yield each quantum arm beside the classical; a ratio below 1 says how much the quantum step takes longer."""
    classical, _ = step_call(head="classical")
    for name, settings in ARMS.items():
        ours, config = step_call(**settings)
        seconds = medians({"ours": ours, "classical head": classical})
        yield compared(f"train step, preset paper, {name}", config.width, config.batch_size, config.shots, seconds)
