"""Linear probe of a run's checkpoints: `python trainers/linear_eval.py`, or `make linear-eval`."""

import launch  # noqa: F401, I001 -- first: it finds the Python that has the package

from qssl_tf.cli.main import run

if __name__ == "__main__":
    run("probe")
