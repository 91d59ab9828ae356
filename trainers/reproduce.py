"""The paper's experiments with their controls: `python trainers/reproduce.py`, or `make reproduce`."""

import launch  # noqa: F401, I001 -- first: it finds the Python that has the package

from qssl_tf.cli.main import run

if __name__ == "__main__":
    run("reproduce")
