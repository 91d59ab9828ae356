"""One run of a study: train it, probe it, record it, resuming from wherever it stopped."""

import shutil
from collections.abc import Sequence
from dataclasses import replace

from qssl_tf.commands import argument
from qssl_tf.config import Config
from qssl_tf.data.images import ImageData
from qssl_tf.data.sources import load
from qssl_tf.errors import UserError
from qssl_tf.evaluation.checkpoints import draw_probes, probe_checkpoints, write_probes
from qssl_tf.files.write import replacing
from qssl_tf.models.simclr import SimCLR
from qssl_tf.studies.record_builder import build_probe_record, build_record
from qssl_tf.studies.records import Record, read_record, write_record
from qssl_tf.studies.storage import Storage, existing_run, finished_run, require_weights
from qssl_tf.studies.studies import RunSpec, Study, probe_batches
from qssl_tf.training.runs import Run
from qssl_tf.training.session import new_session, resumed_session

TrainedParts = tuple[Run, ImageData, SimCLR]
CURVE_PASSES = 1  # augmented passes of the cached protocol: enough to fit 45 parameters to 25,000 images


def complete_run(study: Study, spec: RunSpec, storage: Storage, batches: str) -> None:
    """Do what is left of a run: training steps, probes, its record.

    Raises:
        UserError: The folder holds another run, the data are missing, or weights to be probed are gone.
    """
    record, steps = read_record(storage.results, spec), probe_batches(study, batches)
    missing = list(steps) if record is None else record.unprobed(steps, "cached")
    if not missing:
        return
    trained = _trained(spec, storage)
    run, _, _ = trained
    require_weights(run, missing)
    settings = replace(run.config, probe_protocol="cached", probe_passes=CURVE_PASSES)
    _probe_and_record(spec, storage, trained, settings, missing, steps[-1], record)
    if not storage.keep_weights:
        for step in set(run.checkpoint_steps()) - {0, study.table_batch, steps[-1]}:
            run.checkpoint(step).unlink()


def complete_comparison_run(spec: RunSpec, storage: Storage, batch: int | None = None) -> Record:
    """Do what is left of a run that is compared: training steps, one probe by its own settings, its record.

    Args:
        spec: The run.
        storage: Where it is kept.
        batch: Training batches after which it is probed, 0 before any; None takes the last.

    Raises:
        UserError: The folder holds another run, the data are missing, or no weights were kept after that batch.
    """
    protocol, record = spec.config.probe_protocol, read_record(storage.results, spec)
    if record is not None and not record.unprobed([record.steps if batch is None else batch], protocol):
        return record
    trained = _trained(spec, storage)
    kept = trained[0].checkpoint_steps()
    if batch is not None and batch not in kept:
        raise UserError(
            f"{argument('batch')} must be one after which {trained[0].folder} keeps its weights "
            f"({', '.join(map(str, kept))}); got {batch}."
        )
    settings = replace(trained[0].config, data_dir=storage.data_dir or trained[0].config.data_dir)
    return _probe_and_record(spec, storage, trained, settings, [kept[-1] if batch is None else batch], kept[-1], record)


def _probe_and_record(
    spec: RunSpec,
    storage: Storage,
    trained: TrainedParts,
    settings: Config,
    batches: Sequence[int],
    last: int,
    record: Record | None,
) -> Record:
    """Probe a trained run after some batches, add that to its record, and return it.

    Args:
        spec: The run.
        storage: Where it is kept.
        trained: Its folder, images and model.
        settings: The run's, with those of the probe.
        batches: Those without a probe.
        last: The batch whose classifier stays in the run folder.
        record: Its record; None if there is none.
    """
    run, data, model = trained
    probes = probe_checkpoints(run, settings, batches, report=_print)
    if probes[-1][0].step == last:  # device runs use the classifier of the newest weights
        write_probes(run, probes)
        draw_probes(run, probes)
    record = build_record(spec, run, data, model, probes, record)
    write_record(storage.results, spec, record)
    return record


def add_paper_probe(study: Study, spec: RunSpec, storage: Storage, batches: str) -> None:
    """Probe the table's batch of a finished run by the paper's protocol.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    record, run = finished_run(spec, storage)
    if not record.unprobed([study.table_batch], "paper"):
        return
    require_weights(run, [study.table_batch])
    settings = replace(run.config, probe_protocol="paper", data_dir=storage.data_dir or run.config.data_dir)
    probes = probe_checkpoints(run, settings, [study.table_batch], report=_print)
    write_record(storage.results, spec, replace(record, probes=[*record.probes, *map(build_probe_record, probes)]))


def _print(line: str) -> None:
    print(line, flush=True)


def _trained(spec: RunSpec, storage: Storage) -> TrainedParts:
    """Return run, images and model of `spec`, trained to the last step."""
    run = existing_run(spec, storage.folder)
    if run is None:  # killed before its settings were written, so nothing was trained
        shutil.rmtree(storage.folder / spec.name, ignore_errors=True)
    config = replace(spec.config, data_dir=storage.data_dir or (run.config.data_dir if run else None))
    data = load(config)
    session = resumed_session(run, data) if run else new_session(config, data, storage.folder, spec.name)
    if stopped_by := session.train():
        raise KeyboardInterrupt(stopped_by)
    run, model = session.run, session.model_for_use()
    if not run.model.exists():
        with replacing(run.model) as temporary:
            model.save(temporary)
    return run, data, model
