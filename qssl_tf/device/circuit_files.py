"""The files of a trained circuit for other programs: without and with measurements, and how they are fed and read.

`head.qasm`, `head_measured.qasm` and `head.json`, or with other beginnings where the form or the parameters differ.
"""

from pathlib import Path
from typing import Any

from qssl_tf.compiler.translate import translated
from qssl_tf.data.images import ImageData
from qssl_tf.device.door import check_probed
from qssl_tf.device.export import BOUND, FORMS, manual, measured, product_names
from qssl_tf.device.inputs import Problem, problem
from qssl_tf.device.plan import say
from qssl_tf.files.write import replacing, write_json
from qssl_tf.training.runs import Run

# Form -> how the names of its files begin and end. Programs that read OpenQASM 2 insist on `.qasm`.
NAMES = {"qasm2": ("head_qasm2", ".qasm"), "qasm3": ("head", ".qasm"), "qpy": ("head", ".qpy")}


def export(run: Run, checkpoint: str, form: str, image: int | None = None, data: ImageData | None = None) -> None:
    """Write the trained circuit, and say where.

    Args:
        run: A probed run with a quantum head.
        checkpoint: `last` or the probed step.
        form: Key of FORMS.
        image: Place of the test image at whose angles the circuit is written; None leaves them free parameters, but in
            OpenQASM 2, which has none, it is the first.
        data: The run's images; None loads what its settings name.
    """
    check_probed(run)
    if image is None and form in BOUND:
        image = 0
    task = problem(run, checkpoint, 1, 0, data, image)
    circuit, told = translated(task.spec, task.weights), manual(task.spec)
    if image is not None:
        angles = dict(zip(map(str, task.spec.inputs), map(float, task.rows[-1]), strict=True))
        circuit = circuit.assign_parameters({parameter: angles[parameter.name] for parameter in circuit.parameters})
        told |= {"parameters": {}, "image": _of_image(task, angles)}
    begin, end = NAMES[form]
    stem = run.folder / (begin if image is None else f"{begin}_image_{image}")
    plain, read, about = (stem.with_name(f"{stem.name}{rest}") for rest in (end, f"_measured{end}", ".json"))
    for path, written in ((plain, circuit), (read, measured(circuit))):
        _write(path, form, written)
    write_json(about, told)
    at = "" if image is None else f" at the angles of test image {image}"
    say(f"circuit{at}: {plain}; with measurements: {read}; how it is fed and read: {about}")


def _write(path: Path, form: str, circuit: Any) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        FORMS[form](circuit, file)


def _of_image(task: Problem, angles: dict[str, float]) -> dict[str, Any]:
    """Return whose circuit it is, and what it must give."""
    expectations = dict(zip(product_names(task.spec), map(float, task.exact[-1]), strict=True))
    return {
        "position": int(task.positions[0]),
        "class": task.class_names[int(task.labels[0])],
        "angles": angles,
        "exact expectations": expectations,
    }
