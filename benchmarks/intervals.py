"""How often 95 % intervals of a mean hold the true mean, by number of seeds: Student's beside the bootstrap's.

Accuracies of seeds are drawn from a normal distribution, and from a skewed one (gamma of shape 2), of known mean. An
interval keeps its word where it holds the mean in 95 of 100 cases, less three standard errors of the simulation.

    python benchmarks/intervals.py            # prints the table
    python benchmarks/intervals.py --write    # and keeps it in results/intervals.json
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "intervals.json"
SEEDS, TIMES, RESAMPLES, LEVEL = (3, 6, 10, 20, 30), 2000, 999, 0.95
FLOOR = LEVEL - 3 * math.sqrt(LEVEL * (1 - LEVEL) / TIMES)
MEANS = {"normal": 0.0, "skewed": 2.0}


def draws(name: str, seeds: int, rng: Any) -> Any:
    """Return simulated accuracies around MEANS, shape (TIMES, seeds)."""
    size = (TIMES, seeds)
    return rng.normal(0.0, 1.0, size) if name == "normal" else rng.gamma(2.0, 1.0, size)


def intervals(values: Any, rng: Any) -> dict[str, list[tuple[float, float]]]:
    """Return the 95 % intervals of each row of values, by method."""
    from scipy import stats

    from qssl_tf.evaluation.statistics import summary

    found = {"student": [summary(row).interval or (math.nan, math.nan) for row in values]}
    for method in ("percentile", "BCa"):
        ends = stats.bootstrap(
            (values,), lambda x, axis: x.mean(axis=axis), axis=-1, method=method, n_resamples=RESAMPLES, rng=rng,
            confidence_level=LEVEL, vectorized=True, batch=50,
        ).confidence_interval  # fmt: skip
        found[method] = list(zip(ends.low, ends.high, strict=True))
    return found


def table() -> list[dict[str, Any]]:
    """Return the coverage of each method, in percent, by distribution and number of seeds."""
    import numpy as np

    rows = []
    for name, mean in MEANS.items():
        for seeds in SEEDS:
            rng = np.random.default_rng(seeds)
            by_method = intervals(draws(name, seeds, rng), rng)
            covered = {
                method: 100 * float(np.mean([low <= mean <= high for low, high in ends]))
                for method, ends in by_method.items()
            }
            rows.append({"distribution": name, "seeds": seeds, **{key: round(one, 2) for key, one in covered.items()}})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Simulate, print, and keep the table where that is asked for."""
    parser = argparse.ArgumentParser(description="Coverage of 95 %% intervals of a mean, by number of seeds.")
    parser.add_argument("--write", action="store_true", help="keep the table in results/intervals.json")
    arguments = parser.parse_args()
    rows = table()
    if arguments.write:
        about = f"percent of {TIMES} simulated means within their 95 % interval, {RESAMPLES} resamples"
        values = {"what": about, "keeps_its_word_from": round(100 * FLOOR, 2), "table": rows}
        RESULTS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
