from qssl_tf.config import Config
from qssl_tf.presets import preset
from qssl_tf.training.schedule import Schedule, schedule


def test_the_papers_checkpoints():
    plan = schedule(preset("paper"), 25_000)
    assert (plan.steps_per_epoch, plan.steps) == (97, 194)
    saved_steps = [step for step in range(1, plan.steps + 1) if plan.keeps(step)]
    published = [1, 14, 27, 40, 53, 66, 79, 92, 98, 111, 124, 137, 150, 163, 176, 189]
    assert saved_steps == [*published, 194]


def test_longer_than_an_epoch_counts_over_epochs():
    plan = Schedule(steps_per_epoch=5, steps=30, checkpoint_every=10)
    assert [step for step in range(1, 31) if plan.keeps(step)] == [1, 11, 21, 30]


def test_epochs_start_at_one():
    plan = Schedule(steps_per_epoch=97, steps=194, checkpoint_every=13)
    assert [plan.epoch(step) for step in (1, 97, 98, 194)] == [1, 1, 2, 2]


def test_steps_take_the_place_of_epochs():
    assert schedule(Config(steps=7, epochs=3, batch_size=10), 100).steps == 7
    assert schedule(Config(epochs=3, batch_size=30), 100).steps == 9
