from pathlib import Path

import pytest

from qssl_tf.durations import read_time
from qssl_tf.errors import UserError
from qssl_tf.studies.jobs import remaining_jobs
from qssl_tf.studies.options import StudyOptions, read_seeds
from qssl_tf.studies.records import write_record
from qssl_tf.studies.runner import run_study, show_costs
from qssl_tf.studies.studies import STUDIES
from qssl_tf.training.runs import create_run

FLAGS = {
    "study": "paper",
    "arms": None,
    "seeds": None,
    "batches": "all",
    "paper_probes": None,
    "budget": None,
    "processes": 1,
    "folder": Path("runs"),
    "results": None,
    "data_dir": None,
    "keep_weights": False,
}


@pytest.mark.parametrize(
    ("text", "seeds"), [(None, None), ("3", [3]), ("0-3", [0, 1, 2, 3]), ("0,2,7-8", [0, 2, 7, 8]), ("4-4", [4])]
)
def test_seeds(text, seeds):
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "0,,1", "1.5", "0-99999999"])
def test_bad_seeds(text):
    with pytest.raises(UserError, match=r"^`seeds` must be numbers or ranges such as 0-5 or 0,2; got "):
        read_seeds(text)


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("90m", 5400), ("1.5h", 5400), ("600s", 600)])
def test_times(text, seconds):
    assert read_time(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "h", "-1h", "0h", "1d"])
def test_bad_times(text):
    with pytest.raises(UserError, match=r"^`budget` must be a time such as 90m, 8h or 600s; got "):
        read_time(text)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batches": "some"}, "`batches` must be one of all, table; got 'some'."),
        ({"processes": 0}, "`processes` must be at least 1; got 0."),
        ({"paper_probes": -1}, "`paper_probes` must be at least 0; got -1."),
        ({"arms": ""}, "`arms` must name at least one arm, such as ring,classical; got none."),
    ],
)
def test_bad_flags(changes, sentence):
    with pytest.raises(UserError) as caught:
        StudyOptions.from_flags(FLAGS | changes)
    assert str(caught.value) == sentence


def test_results_go_into_the_runs_folder_by_default():
    assert StudyOptions.from_flags(FLAGS).results == Path("runs/results")
    assert StudyOptions.from_flags(FLAGS | {"results": Path("kept")}).results == Path("kept")


def test_jobs_are_runs_then_paper_probes_then_the_device():
    options = StudyOptions.from_flags(FLAGS | {"arms": "ring,identity", "seeds": "0-1", "paper_probes": 1})
    kinds = [(job.kind, job.spec.name, job.steps, job.probes) for job in remaining_jobs(options, {}, device_done=False)]
    assert kinds == [
        ("run", "ring-s0", 194, 17),
        ("run", "identity-s0", 194, 17),
        ("run", "ring-s1", 194, 17),
        ("run", "identity-s1", 194, 17),
        ("paper_probe", "ring-s0", 0, 1),
        ("device", "ring-s0", 0, 1),
    ]


def test_recorded_work_is_not_repeated(make_record, tmp_path):
    options = StudyOptions.from_flags(FLAGS | {"arms": "ring", "seeds": "0-1", "folder": tmp_path, "results": tmp_path})
    batches = STUDIES["paper"].batches
    partial = make_record("paper", "ring", 0, {(batch, "cached"): (40.0, 41.0) for batch in batches[:15]})
    probes = {(batch, "cached"): (40.0, 41.0) for batch in batches}
    complete = make_record("paper", "ring", 1, probes | {(176, "paper"): (40.0, 41.0)})
    for spec, record in zip(options.specs, (partial, complete), strict=True):
        write_record(tmp_path, spec, record)
    records = options.records()
    (job,) = remaining_jobs(options, records, device_done=False)
    assert (job.kind, job.steps) == ("run", 194)  # the weights are gone
    (tmp_path / "ring-s0").mkdir()
    jobs = remaining_jobs(options, records, device_done=True)
    assert [(job.kind, job.spec.seed, job.steps, job.probes) for job in jobs] == [
        ("run", 0, 0, 2),
        ("paper_probe", 0, 0, 1),
    ]


def test_records_of_other_seeds_and_arms_are_reported_as_well(make_record, tmp_path):
    options = StudyOptions.from_flags(FLAGS | {"arms": "ring", "seeds": "0", "results": tmp_path})
    other = StudyOptions.from_flags(FLAGS | {"arms": "identity", "seeds": "12", "results": tmp_path})
    write_record(tmp_path, other.specs[0], make_record("paper", "identity", 12, {(176, "cached"): (40.0, 41.0)}))
    assert [spec.name for spec in options.records()] == ["identity-s12"]


def test_listing_refuses_what_running_refuses(make_record, tmp_path):
    """Weights of a recorded run that were not kept, and a folder of something else."""
    options = StudyOptions.from_flags(FLAGS | {"arms": "ring", "seeds": "0", "folder": tmp_path, "results": tmp_path})
    (spec,) = options.specs
    run = create_run(spec.config, tmp_path, spec.name, "cifar10/3.0.2")
    probes = {(176, "cached"): (40.0, 41.0), (194, "cached"): (40.0, 41.0)}
    write_record(tmp_path, spec, make_record("paper", "ring", 0, probes))
    for function in (show_costs, run_study):
        with pytest.raises(UserError, match=rf"^{run.folder} keeps no weights after batch 1, 14, 27, .*; probe fewer"):
            function(options)
    (run.folder / "config.json").unlink()
    (run.folder / "thesis.txt").write_text("mine")
    for function in (show_costs, run_study):
        with pytest.raises(UserError, match=r"ring-s0 is not a run folder"):
            function(options)
