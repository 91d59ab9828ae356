"""One run of a study: train it, probe it, keep its record; from wherever it stopped before."""

import shutil
from dataclasses import replace

from qssl_tf.data.sources import load
from qssl_tf.evaluation.checkpoints import draw_probes, probe_checkpoints, write_probes
from qssl_tf.files.write import replacing
from qssl_tf.studies.folders import Place, finished, held, require_weights
from qssl_tf.studies.recording import probed, recorded
from qssl_tf.studies.records import read_record, write_record
from qssl_tf.studies.studies import Pair, Study, wanted_batches
from qssl_tf.training.session import new_session, resumed_session

CURVE_PASSES = 1  # augmented passes of the cached protocol: 45 numbers are fitted to 25,000 images either way


def finish_pair(study: Study, pair: Pair, place: Place, batches: str) -> None:
    """Do what a run still lacks: training steps, probes, its record.

    Raises:
        UserError: The folder holds another run, the data are missing, or weights to be probed are gone.
    """
    record, steps = read_record(place.results, pair), wanted_batches(study, batches)
    lacking = list(steps) if record is None else record.lacks(steps, "cached")
    if not lacking:
        return
    run, data, model = _trained(pair, place)
    require_weights(run, lacking)
    settings = replace(run.config, probe_protocol="cached", probe_passes=CURVE_PASSES)
    found = probe_checkpoints(run, settings, lacking, report=_say)
    if found[-1][0].step == steps[-1]:  # the newest weights' classifier is what a device runs
        write_probes(run, found)
        draw_probes(run, found)
    write_record(place.results, pair, recorded(pair, run, data, model, found, record))
    if not place.keep_weights:
        for step in set(run.checkpoint_steps()) - {0, study.table, steps[-1]}:
            run.checkpoint(step).unlink()


def add_paper_probe(study: Study, pair: Pair, place: Place, batches: str) -> None:
    """Probe the table's batch of a finished run by the paper's protocol.

    Raises:
        UserError: The run is not finished, or its weights are gone.
    """
    record, run = finished(pair, place)
    if not record.lacks([study.table], "paper"):
        return
    require_weights(run, [study.table])
    settings = replace(run.config, probe_protocol="paper", data_dir=place.data_dir or run.config.data_dir)
    found = probe_checkpoints(run, settings, [study.table], report=_say)
    write_record(place.results, pair, replace(record, probes=[*record.probes, *map(probed, found)]))


def _say(line: str) -> None:
    print(line, flush=True)


def _trained(pair: Pair, place: Place):
    """Return run, data and model of a pair, trained to the last step."""
    run = held(pair, place.folder)
    if run is None:  # killed before it had settings: nothing was trained in it
        shutil.rmtree(place.folder / pair.name, ignore_errors=True)
    config = replace(pair.config, data_dir=place.data_dir or (run.config.data_dir if run else None))
    data = load(config)
    session = resumed_session(run, data) if run else new_session(config, data, place.folder, pair.name)
    if stopped_by := session.train():
        raise KeyboardInterrupt(stopped_by)
    run, model = session.run, session.model
    if not run.model.exists():
        with replacing(run.model) as temporary:
            model.save(temporary)
    return run, data, model
