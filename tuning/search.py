"""Search for better circuits, encoders and recipes: `python tuning/search.py`, or `make search`."""

import launch  # noqa: F401, I001 -- first: it finds the Python that has the package

from qssl_tf.cli.main import run

if __name__ == "__main__":
    run("search")
