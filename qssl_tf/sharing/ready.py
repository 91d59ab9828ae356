"""Trained runs that come with the package."""

from qssl_tf.arguments import checks_arguments
from qssl_tf.errors import unknown_name
from qssl_tf.evaluation.trained_run import TrainedRun, load_run
from qssl_tf.presets import PRESETS
from qssl_tf.training.runs import WEIGHTS, ready_names


@checks_arguments
def load_pretrained(name: str) -> TrainedRun:
    """Return a trained run that comes with the package; every file is compared with its checksum first.

    Its folder has a model card, `README.md`: data, protocol, seeds, accuracy with interval, licence. It stays as it is:
    device runs, pictures and the report of it go to a copy, `runs/NAME`.

    Args:
        name: `digits-ring` (8 x 8 pixels, gray) or `cifar10-best` (32 x 32 pixels, colour).

    Raises:
        UserError: There is none of that name, or a file is damaged.
    """
    if name not in ready_names():
        settings = (
            f"Settings without weights: qssl_tf.PRESETS['{name}'] for qssl_tf.pretrain." if name in PRESETS else ""
        )
        raise unknown_name("name", name, ready_names(), settings)
    return load_run(WEIGHTS / name)
