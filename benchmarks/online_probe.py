"""What an online probe costs a training step, and how near its accuracy ends to that of the probe afterwards.

`python benchmarks/online_probe.py cost` times whole steps with and without it, each on batches that bring labels, in
turn; `alone` times what the probe adds, as a function of its own; `accuracy` trains the preset `digits` with seeds 0,
1, 2 and probes each run. All print one JSON object a line. Processor time is told beside wall time: on a machine that
others use as well it is the steadier of the two.
"""

import argparse
import json


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("cost", "alone", "accuracy"))
    parser.add_argument("--presets", default="digits,best,paper", help="of cost and alone")
    parser.add_argument("--seeds", default="0,1,2", help="of accuracy")
    parser.add_argument("--rounds", type=int, help="of cost and alone")
    options = parser.parse_args()

    from online_probe_cases import accuracy, alone, cost  # loads TensorFlow
    from timing import ROUNDS, machine

    rounds = options.rounds or ROUNDS
    print(json.dumps(machine()), flush=True)
    if options.what in ("cost", "alone"):
        measure = cost if options.what == "cost" else alone
        for preset in options.presets.split(","):
            print(json.dumps(measure(preset, rounds)), flush=True)
    else:
        for seed in map(int, options.seeds.split(",")):
            print(json.dumps(accuracy(seed)), flush=True)


if __name__ == "__main__":
    main()
