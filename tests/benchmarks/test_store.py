"""The figures of images on disk that the documentation quotes are those that were measured."""

import io
import json

import numpy as np
import store
from blocks import DOCS, ROOT
from PIL import Image

FOUND = json.loads((ROOT / "benchmarks" / "results" / "store.json").read_text())
PAGE = (DOCS / "scaling.md").read_text(encoding="utf-8").split("## Images on disk\n")[1].split("\n## ")[0]


def test_the_documentation_quotes_the_results():
    large, formats = FOUND["large"], FOUND["formats"]
    quoted = [
        f"{FOUND['photographs']['images']:,} photographs",
        f"{large['load_s']:.1f} s",
        f"{large['peak_gb']:.2f} GB",
    ]
    quoted += [f"{large['first_step_s']:.1f} s", f"{FOUND['making']['images_per_s']:.0f} images a second"]
    quoted += [f"| {row['read_256_ms']:.0f} ms | {row['kb_an_image']:.0f} kB |" for row in formats]
    quoted += [f"| {row['what']} | {row['ratio']:.2f} |" for row in FOUND["throughput"]]
    assert [words for words in quoted if words not in PAGE] == []


def test_photographs_are_alike_and_no_two_the_same():
    first, second = (store.photograph(number) for number in range(2))
    assert first != second
    pixels = np.asarray(Image.open(io.BytesIO(first)), float)
    assert pixels.shape == (store.SIDE, store.SIDE, 3) and 30 < pixels.std() < 70
    neighbours = np.corrcoef(pixels[:, 1:].ravel(), pixels[:, :-1].ravel())[0, 1]
    assert neighbours > 0.8  # as in photographs, unlike noise
