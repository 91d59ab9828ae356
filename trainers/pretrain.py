"""Contrastive pretraining: `python trainers/pretrain.py --preset digits`, or `make pretrain`."""

import launch  # noqa: F401, I001 -- first: it finds the Python that has the package

from qssl_tf.cli.main import run

if __name__ == "__main__":
    run("pretrain")
