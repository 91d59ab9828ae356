"""The package in Python, as the commands do it: `pretrain`, `resume`, `linear_probe`, `evaluate`, `run_on_device`."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from qssl_tf.arguments import checks_arguments, unknown_argument
from qssl_tf.commands import command
from qssl_tf.config import Config
from qssl_tf.data.augment import say_recipe
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load, prepare
from qssl_tf.device.options import DeviceOptions
from qssl_tf.errors import UserError
from qssl_tf.evaluation.checkpoints import probe_run
from qssl_tf.evaluation.evaluate import Evaluation, evaluate_run
from qssl_tf.evaluation.evaluation_options import EvaluationOptions
from qssl_tf.evaluation.probe import ProbeResult, check_split
from qssl_tf.evaluation.run_summary import finish_run
from qssl_tf.evaluation.trained_run import TrainedRun, as_run, images_of
from qssl_tf.files.latest import point_newest
from qssl_tf.files.lock import locked
from qssl_tf.training.checkpoints import go_back
from qssl_tf.training.metadata import check_simulator, is_finished
from qssl_tf.training.provenance import images_of_run
from qssl_tf.training.runs import RUNS_DIR, check_open_to_training, choose_step, open_run, own_folder
from qssl_tf.training.session import Session, new_session, resumed_session


@checks_arguments
def pretrain(
    data: ImageData | None = None,
    config: Config | None = None,
    *,
    runs_dir: str | Path = RUNS_DIR,
    name: str | None = None,
) -> TrainedRun:
    """Train a new run on one device and keep it as a folder, as `qssl pretrain` does.

    Args:
        data: Your own images; None loads what `config.dataset` names.
        config: The settings; None takes the preset `digits`.
        runs_dir: Folder of all runs.
        name: Of the run folder; None makes one.

    Returns:
        The run with its last weights.

    Raises:
        UserError: Settings or images that cannot be used, or a name that is taken.
        KeyboardInterrupt: Ctrl-C; `resume` goes on from the step that it met.
    """
    config = config or Config()
    if data is not None:
        config, data = replace(config, dataset=data.name), prepare(data, config)
    else:
        data = load(config)
    session = new_session(config, data, Path(runs_dir), name)
    say_recipe(config, data.image_shape)
    return _train(session)


@checks_arguments
def resume(run: TrainedRun | str | Path, data: ImageData | None = None, *, previous_state: bool = False) -> TrainedRun:
    """Go on with a run that was stopped, to the bits that it would have had without the stop.

    Args:
        run: The run, or its folder.
        data: The images, where they were given to `pretrain`; None takes the run's own.
        previous_state: Go on from the state before the last, where that is damaged; it is kept under another name.

    Raises:
        UserError: It is no run folder, is damaged, or was trained on other images.
    """
    opened = open_run(run.folder if isinstance(run, TrainedRun) else Path(run))
    check_open_to_training(opened)
    check_simulator(opened)
    data = images_of(run, data) if isinstance(run, TrainedRun) else images_of_run(opened, data)
    return _train(resumed_session(opened, data), previous_state)


@checks_arguments
def linear_probe(
    run: TrainedRun | str | Path, data: ImageData | None = None, *, split: str = "test", **settings: Any
) -> ProbeResult:
    """Judge a run by a linear classifier on its frozen features, as `qssl probe` does.

    `probe.json`, `probe.npz` and a figure of the confusion matrix are written into its folder.

    Args:
        run: A run, or its folder (then its last checkpoint).
        data: The images, where they were given to `pretrain`; None takes the run's own.
        split: `test`, or `validation` where something is to be chosen.
        **settings: Fields of Config whose names begin with `probe_`, in place of the run's.

    Returns:
        Accuracies in percent; `accuracy_last` is the honest one.

    Raises:
        UserError: The images have no labels, a setting is none of the probe's, or the run cannot be read.
    """
    _check_probe_settings("linear_probe", settings, ("run", "data", "split"))
    opened = open_run(run.folder if isinstance(run, TrainedRun) else Path(run))
    config = Config.from_dict(opened.config.to_dict() | settings)
    check_split(split, config)
    step = run.step if isinstance(run, TrainedRun) else choose_step(opened, "last")[0]
    images = images_of(run, data) if isinstance(run, TrainedRun) else images_of_run(opened, data)
    return probe_run(opened, config, [step], split, images).newest


@checks_arguments
def evaluate(
    run: TrainedRun | str | Path,
    data: ImageData | None = None,
    *,
    judges: Sequence[str] | None = None,
    split: str = "test",
    fractions: Sequence[float] = (0.01, 0.1),
    images_per_class: Sequence[int] = (1, 5, 10),
    draws: int = 5,
    finetune_epochs: int = 20,
    finetune_learning_rate: float = 1e-3,
    probe_dataset: ImageData | str | None = None,
    probe_data_dir: str | Path | None = None,
    cka_with: TrainedRun | str | Path | None = None,
    seeds: Any = (),
    **settings: Any,
) -> Evaluation:
    """Judge a trained run in several ways, in one table, as `qssl evaluate` does.

    `evaluation.json` and `evaluation.csv` in the run's folder keep the newest word of each judge. The run itself, and
    its probe, stay as they are.

    Args:
        run: A run, or its folder (then its last checkpoint). What comes of one that comes with the package goes to a
            copy, `runs/NAME`.
        data: The images, where they were given to `pretrain`; None takes the run's own.
        judges: Their names: `linear`, `knn`, `few`, `fractions`, `alignment`, `rank`, `head`, `finetune`, `transfer`
            and `cka`, or `all`. None takes the first six, leaving out those that cannot judge the run, and whoever an
            option below is for.
        split: `test`, or `validation` where something is to be chosen.
        fractions: Parts of the labels that probes and fine-tuning get, above 0 and below 1.
        images_per_class: Images of each class that probes get.
        draws: Of few labels, and of weights of a head; at least 2.
        finetune_epochs: Epochs of fine-tuning.
        finetune_learning_rate: Adam's first learning rate in fine-tuning.
        probe_dataset: Other images, or the name of their data set, for the judge `transfer`.
        probe_data_dir: Folder of that data set.
        cka_with: Another run, or its folder, for the judge `cka`.
        seeds: Runs that differ from this one in their seed alone, or their folders, for the judge `head`.
        **settings: Fields of Config whose names begin with `probe_`, in place of the run's.

    Returns:
        The evaluation: `readings[judge][name]` has `value` (percent for accuracies), `low` and `high` of its 95 %
        interval, `balanced` and `majority`; `table()` is all of it as text.

    Raises:
        UserError: A judge that was named cannot judge this run, an option is out of range, or the run cannot be read.
    """
    options = EvaluationOptions(
        fractions, images_per_class, draws, finetune_epochs, finetune_learning_rate, probe_dataset, probe_data_dir,
        cka_with, seeds,
    )  # fmt: skip
    takes = [name for name in EvaluationOptions.__dataclass_fields__]
    _check_probe_settings("evaluate", settings, ("run", "data", "judges", "split", *takes))
    trained = as_run(run)
    opened = open_run(own_folder(trained.folder))
    config = Config.from_dict(opened.config.to_dict() | settings)
    check_split(split, config)
    return evaluate_run(opened, config, trained.step, judges, options, split, images_of(trained, data))


@checks_arguments
def run_on_device(
    run: TrainedRun | str | Path,
    backend: Any = "fake_paris",
    data: ImageData | None = None,
    *,
    images: int | None = None,
    shots: int | None = None,
    mitigation: str = "affine",
    seed: int = 0,
    submit: bool = False,
    gates: str = "best",
    budget: float | str | None = None,
) -> dict[str, Any]:
    """Classify unseen images with a probed run's circuit on a device or a snapshot of one (arXiv:2103.14653, Sec. 5).

    Everything is kept in `ibmq/` of the run's folder, the newest device run in `ibmq/latest`: counts, confusion
    matrices as figures, `images.csv`, `result.json`. A device run that was interrupted goes on with
    `qssl device --resume`, and on a backend of your own is begun anew.

    Args:
        run: A probed run with a quantum head, or its folder. What comes of one that comes with the package goes to a
            copy, `runs/NAME`.
        backend: `aer` (no noise but that of the shots), `fake_*` (a calibration snapshot), `least_busy`, or the name
            of a device of IBM Quantum. Or an object: a Qiskit `BackendV2`, simulated here with the noise that it has
            (an `AerSimulator`) or that its calibration says, and an `IBMBackend` as by its name; or a `NoiseModel` of
            Aer, for circuits in its basis gates.
        data: The images, where they were given to `pretrain`; None takes the run's own.
        images: How many test images, equally many of each class; None is 900, or all where there are fewer, or what
            the budget allows.
        shots: Measurements of each image; None is 1,024, or what the budget allows.
        mitigation: `affine`, `readout`, `zne` or `none`.
        seed: Of the choice of images, the layout and simulated noise.
        submit: Needed for a real device, which costs time.
        gates: `best` takes the fractional gates RX and RZZ where the device has them and does better with them,
            `standard` leaves them out, `fractional` also simulates a snapshot with them that was calibrated without.
        budget: Seconds of a real device, or text such as `4m`, in which images, shots and calibration rows are planned;
            `left` is what the account has left. Simulations are planned as if they were real.

    Returns:
        What `result.json` holds: `accuracy` and `accuracy_exact` on the same images in percent, `accuracy_interval`
        (95 %), `rms_error` of the expectations, confusion matrices (rows are true classes) and more.

    Raises:
        UserError: The run was not probed, has no quantum head or other images; an unknown device or mitigation; or a
            real device without `submit`, which says how to go on, or more than half of the time that the account has
            left without a `budget`.
    """
    from qssl_tf.device.budget import more_than_half
    from qssl_tf.device.door import device_for
    from qssl_tf.device.plan import plan
    from qssl_tf.device.run import execute

    options = DeviceOptions(backend, images, shots, mitigation, seed, gates=gates, budget=budget)
    trained = as_run(run)
    opened = open_run(own_folder(trained.folder))
    found = images_of(trained, data)
    device = device_for(opened, options)
    ledger = plan(opened, device, options, str(trained.step), found)
    if not device.is_local and not submit:
        raise UserError(
            f"{device.name} is a real device and costs time, so nothing was submitted; pass submit=True, or go on with "
            f"`{command('device', opened.folder, '--resume', ledger.folder.name)}`."
        )
    if not device.is_local and budget is None and (warning := more_than_half(device, ledger.record["device_seconds"])):
        raise UserError(
            f"{warning}; take fewer images or shots, plan within a `budget`, or agree to it with "
            f"`{command('device', opened.folder, '--resume', ledger.folder.name)}`."
        )
    return execute(opened, ledger, device)


def _check_probe_settings(function: str, names: Iterable[str], takes: Iterable[str]) -> None:
    """Refuse settings that are not the probe's, for a function that takes other arguments besides."""
    known = [item.name for item in fields(Config)]
    probes = [name for name in known if name.startswith("probe_")]
    for name in names:
        if name in known and name not in probes:
            raise UserError(f"`{name}` is the run's and stands; a probe takes settings that begin with probe_.")
        if name not in probes:
            raise unknown_argument(function, name, [*takes, *probes])


def _train(session: Session, previous_state: bool = False) -> TrainedRun:
    run, data = session.run, session.data
    with locked(run.folder):
        if previous_state:
            print(f"the last state is kept as {go_back(run)}", flush=True)
        if not (session.resumed and is_finished(run)):
            point_newest(run.folder)
        stopped_by = session.train()
        if stopped_by:
            raise KeyboardInterrupt(f"stopped by {stopped_by}; qssl_tf.resume({str(run.folder)!r}) goes on.")
        model = session.model_for_use()
        print(finish_run(run, model, data))
    step = run.checkpoint_steps()[-1]
    return TrainedRun(run.folder, run.config, step, model, data.class_names, data)
