import math

import keras
import pytest

from qssl_tf.config import Config
from qssl_tf.models.learning_rates import SCHEDULES


def rates(config, steps):
    rate = SCHEDULES[config.schedule](config, steps)
    return [float(rate(step)) if callable(rate) else rate for step in range(steps + 1)]


def test_constant_is_a_number():
    assert SCHEDULES["constant"](Config(learning_rate=0.3), 10) == 0.3


def test_warm_up_rises_evenly_and_stays():
    values = rates(Config(learning_rate=0.3, warmup=0.4), 10)
    assert values == pytest.approx([0, 0.075, 0.15, 0.225, *[0.3] * 7], abs=1e-6)


def test_cosine_is_the_papers_formula():
    values = rates(Config(learning_rate=0.3, schedule="cosine"), 20)
    assert values == pytest.approx([0.15 * (1 + math.cos(math.pi * step / 20)) for step in range(21)], abs=1e-6)


def test_cosine_after_a_warm_up():
    values = rates(Config(learning_rate=0.3, schedule="cosine", warmup=0.25), 20)
    rise = [0.06 * step for step in range(5)]
    fall = [0.15 * (1 + math.cos(math.pi * step / 15)) for step in range(16)]
    assert values == pytest.approx(rise + fall, abs=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_they_reload_with_the_optimizer(name):
    rate = SCHEDULES[name](Config(warmup=0.2, schedule=name), 50)
    optimizer = keras.optimizers.Adam(rate)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert float(again.learning_rate) == float(optimizer.learning_rate)
