import numpy as np
import pytest

from qssl_tf.data.augment import augmentation
from qssl_tf.errors import UserError
from qssl_tf.evaluation.published import published_accuracies
from qssl_tf.models.build import build_simclr
from qssl_tf.presets import PRESETS
from qssl_tf.studies.arms import ARMS, arm_config


def test_published_arms_are_the_papers_presets():
    presets = {
        "ring": "paper", "all_to_all": "paper-all-to-all", "ring_100_shots": "paper-100-shots",
        "ring_100_shots_partial_measurement": "paper-100-shots-partial", "classical": "paper-classical",
    }  # fmt: skip
    assert {name for name, arm in ARMS.items() if arm.published} == set(presets)
    for name, preset_name in presets.items():
        assert arm_config(name, 0) == PRESETS[preset_name]
        assert 176 in published_accuracies(name)


def test_arms_with_equal_seeds_begin_with_the_same_encoder_and_the_same_data():
    """The data of a step depend on these settings alone; weights are compared as they are built."""
    data_settings = ("dataset", "classes", "augmentation", "crop_area", "jitter", "batch_size", "steps", "epochs")
    first = None
    for name in (*ARMS, "fourier_36", "mlp_8"):
        config = arm_config(name, 3)
        assert [getattr(config, part) for part in data_settings] == [
            getattr(arm_config("ring", 3), part) for part in data_settings
        ]
        small = type(config).from_dict(config.to_dict() | {"encoder": "vgg_tiny"})
        model = build_simclr(small, (32, 32, 3), augmentation(small, (32, 32, 3)))
        weights = model.encoder.get_weights()
        first = first or weights
        for mine, theirs in zip(weights, first, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_unknown_arm():
    with pytest.raises(UserError, match=r"^`arm` must be one of ring, all_to_all, .*; got 'rnig'\. Did you"):
        arm_config("rnig", 0)
