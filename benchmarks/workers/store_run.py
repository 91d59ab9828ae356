"""A run of `qssl pretrain` on a store that ends after some steps, and says when its first was done: for `store.py`."""

import json
import os
import resource
import sys
import time

import psutil

BATCH = 4
RUN = ["--dataset", "folder", "--store", "disk", "--head", "classical", "--steps", "100000", "--batch-size", str(BATCH)]


def main() -> None:
    """Train on the photographs of a folder for some steps."""
    folder, steps = sys.argv[1], int(sys.argv[2])
    began = psutil.Process().create_time()

    from qssl_tf.cli import pretrain
    from qssl_tf.training.callbacks import Progress

    found: dict[str, float] = {}
    after_step = Progress.after_step

    def after(self, step, logs):
        after_step(self, step, logs)
        if step == 1:
            found["first_step_s"] = time.time() - began
            found["first_step_processor_s"] = time.process_time()
            self.first_at = time.perf_counter()
        if step == steps:
            found["images_per_s"] = BATCH * (steps - 1) / (time.perf_counter() - self.first_at)
            found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print("\n" + json.dumps(found), flush=True)
            os._exit(0)

    Progress.after_step = after
    load = timed(found, "load_s", pretrain)
    sys.argv = ["qssl pretrain", *RUN, "--data-dir", f"{folder}/photos", "--store-dir", f"{folder}/stores"]
    load()


def timed(found: dict[str, float], name: str, module: object):
    """Return the command, which notes how long the images took to be there."""
    from qssl_tf.data import sources

    read = sources.load

    def load(config):
        found["start_of_python_s"], began = time.time() - psutil.Process().create_time(), time.perf_counter()
        data = read(config)
        found[name] = time.perf_counter() - began
        found["peak_gb_then"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        return data

    sources.load = load
    return module.main


if __name__ == "__main__":
    main()
