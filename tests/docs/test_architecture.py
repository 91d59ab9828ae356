"""The walk that docs/architecture.md describes is the one that a batch takes."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import qssl_tf as q

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "qssl_tf"
PAGE = (ROOT / "docs" / "architecture.md").read_text()


class Arrived(Exception):
    """The loss was called."""


def walk_of_the_page():
    """Return the files that the section on one batch names, in its order."""
    section = PAGE.split("## One batch\n")[1].split("\n## ")[0]
    steps = [line for line in re.split(r"\n(?=\d+\. )", section) if re.match(r"\d+\. ", line)]
    return [name for step in steps for name in re.findall(r"`([a-z_/]+\.py)`", step.split(":")[0])]


def test_every_file_of_the_page_is_there():
    for name in re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", PAGE):
        assert (PACKAGE / name).is_file() or (ROOT / name).is_file(), name


def test_the_stack_from_pretrain_to_the_loss_is_that_of_the_page(tmp_path):
    """Whoever stops at the loss sees these files of the package below, and no other."""
    stacks = []

    def watch(frame, event, argument):
        if (
            event == "call"
            and frame.f_code.co_name == "call"
            and frame.f_code.co_filename.endswith("objectives/contrastive.py")
        ):
            while frame is not None:
                stacks.append(Path(frame.f_code.co_filename))
                frame = frame.f_back
            sys.setprofile(None)
            raise Arrived

    data = q.ImageData.from_arrays(np.random.default_rng(0).random((32, 8, 8, 1)), np.arange(32) % 2)
    sys.setprofile(watch)
    try:
        with pytest.raises(Arrived):
            q.pretrain(data, q.Config(width=2, steps=1, batch_size=16), runs_dir=tmp_path)
    finally:
        sys.setprofile(None)
    below = [path.relative_to(PACKAGE).as_posix() for path in stacks if path.is_relative_to(PACKAGE)]
    assert set(below) - {"arguments.py"} == {
        "api.py",
        "training/session.py",
        "training/fit.py",
        "models/simclr.py",
        "objectives/contrastive.py",
    }
    assert set(below) - {"arguments.py"} <= set(walk_of_the_page())


def test_the_walk_is_short():
    assert len(walk_of_the_page()) == len(set(walk_of_the_page())) <= 17
