"""SCHEDULES: learning-rate schedules over the steps of a run."""

from collections.abc import Callable
from typing import TypeAlias

import keras

from qssl_tf.config import Config

Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


def constant(config: Config, steps: int) -> Rate:
    """Return a constant rate after a linear warm-up, if there is one."""
    if config.warmup == 0.0:
        return config.learning_rate
    rise = max(1, round(config.warmup * steps))
    return keras.optimizers.schedules.PolynomialDecay(0.0, rise, config.learning_rate)


def cosine(config: Config, steps: int) -> Rate:
    """Return a cosine decay to 0 at the last step (arXiv:1608.03983, Eq. 5), after the warm-up."""
    rise = round(config.warmup * steps)
    if rise == 0:
        return keras.optimizers.schedules.CosineDecay(config.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rise), warmup_target=config.learning_rate, warmup_steps=rise
    )


# Name -> (config, training steps) -> the rate, a number or a schedule.
SCHEDULES: dict[str, Callable[[Config, int], Rate]] = {"constant": constant, "cosine": cosine}
