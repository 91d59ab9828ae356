"""`make bench`: every speed figure of this package against its rivals, into benchmarks/results/ and docs/images/.

Writes `latest.json`, a list of {what, qubits, batch, shots, ours_s, peer, peer_s, ratio, versions} with seconds of one
call (a ratio above 1: ours is faster) and the versions of both sides' packages, `machine.json` (processor, cores, load
before and after) and the figure.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from qssl_tf.cli.flags import Parser
from qssl_tf.cli.run import run_command

RESULTS = Path(__file__).resolve().parent / "results"
FIGURE = RESULTS.parents[1] / "docs" / "images" / "cost.png"
SECTIONS = ("heads", "noise", "steps", "precision", "peers")


def comparisons(sections: list[str], environments: Path | None) -> Iterator[dict]:
    """Yield the results of each section as they come; peers' environments are tried before anything is timed."""
    if "peers" in sections:
        from environments import checked

        versions = checked(environments)
    if "heads" in sections:
        from heads import all_heads

        yield from all_heads()
    if "noise" in sections:
        from noise import all_noise

        yield from all_noise()
    if "steps" in sections:
        from steps import all_steps

        yield from all_steps()
    if "precision" in sections:
        from precision import all_precisions

        yield from all_precisions()
    if "peers" in sections:
        from peers import all_peers

        assert environments is not None  # it was checked
        yield from all_peers(environments, versions)


def line(result: dict) -> str:
    """Return one result as a line of text."""
    shots = "exact" if result["shots"] is None else f"{result['shots']} shots"
    return (
        f"{result['what']} ({result['qubits']} qubits, batch {result['batch']}, {shots}): "
        f"{result['ours_s']:.4g} s; {result['peer']}: {result['peer_s']:.4g} s; ratio {result['ratio']:.2f}"
    )


def main() -> None:
    """Run the sections and write the results; a section that was not run keeps its earlier results."""
    parser = Parser(prog="python benchmarks/bench.py", description="Time this package against its rivals.")
    parser.add_argument(
        "--sections", default="heads,noise,steps", help=f"of {', '.join(SECTIONS)} (default: heads,noise,steps)"
    )
    parser.add_argument("--environments", type=Path, help="folder that benchmarks/peers.sh filled (for peers)")
    asked = parser.parse_args()
    sections = asked.sections.split(",")
    from qssl_tf.errors import unknown_name

    for section in sections:
        if section not in SECTIONS:
            raise unknown_name("sections", section, SECTIONS)
    run(sections, asked.environments)


def run(sections: list[str], environments: Path | None) -> None:
    """Time the sections; each result is kept as soon as it is there."""
    import json

    from chart import draw_cost
    from timing import machine

    from qssl_tf.files.write import write_json

    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    kept = json.loads(latest.read_text(encoding="utf-8")) if latest.exists() else []
    before, fresh = machine(), []
    for result in comparisons(sections, environments):
        print(line(result), flush=True)
        fresh.append(result)
        write_json(latest, _merged(kept, fresh))
    write_json(RESULTS / "machine.json", {"before": before, "after": machine()})
    draw_cost(FIGURE, _merged(kept, fresh))
    print(f"results in {latest}, figure {FIGURE}")


def _merged(kept: list[dict], fresh: list[dict]) -> list[dict]:
    """Return the results with those of the same comparison replaced."""

    def key(result: dict) -> tuple:
        return tuple(result[name] for name in ("what", "qubits", "batch", "shots", "peer"))

    renewed = {key(result) for result in fresh}
    return [result for result in kept if key(result) not in renewed] + fresh


if __name__ == "__main__":
    sys.exit(run_command(main))
