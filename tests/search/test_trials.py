import dataclasses
import json

import pytest

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.search import trials
from qssl_tf.search.trials import ATTEMPTS, FIGURES, images, run_trial
from qssl_tf.training.history import read_history

CONFIG = Config(
    head="identity", width=3, steps=6, batch_size=64, probe_epochs=2, checkpoint_every=2, validation_fraction=0.2
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials") / "trial-0000"
    return folder, run_trial(CONFIG, folder)


def test_every_figure_is_logged_and_true(done):
    folder, result = done
    assert set(result) == set(FIGURES)
    rows = read_history(folder / "history.csv")
    assert len(rows) == 6 and result["loss"] == float(rows[-1]["loss"])  # the last tenth of six steps is one
    probed = json.loads((folder / "probe-validation.json").read_text())
    assert result["validation_accuracy"] == probed["accuracy_last"]
    assert result["seconds"] == pytest.approx(sum(float(row["seconds"]) for row in rows) + probed["seconds"])
    convolutions = 9 * (32 + 32 * 64 + 64 * 128) + 4 * (32 + 64 + 128)  # batch norms with their statistics

    assert result["parameters"] == convolutions + 128 * 3 + 3  # no head


def test_a_finished_trial_is_not_run_again(done, monkeypatch):
    folder, result = done
    monkeypatch.setattr(trials, "new_session", None)  # calling it would fail
    assert run_trial(CONFIG, folder) == result


def test_another_trials_folder_is_refused_and_kept(done, tmp_path):
    folder, _ = done
    other = tmp_path / "trial-0001"
    other.mkdir()
    (other / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(UserError, match=r"holds another trial \(width: 3 against 4\); move it away\.$"):
        run_trial(dataclasses.replace(CONFIG, width=4), other)
    assert (other / "config.json").exists()


def test_a_folder_that_was_killed_before_its_settings_is_begun_anew(tmp_path):
    folder = tmp_path / "trial-0000"
    (folder / "checkpoints").mkdir(parents=True)
    assert run_trial(CONFIG, folder)["validation_accuracy"] > 0


def test_a_trial_that_kills_its_process_ends_as_failed(tmp_path, monkeypatch):
    def dies(config, folder):
        raise SystemExit  # as far as the next attempt can see

    monkeypatch.setattr(trials, "_train_and_judge", dies)
    for _ in range(ATTEMPTS):
        with pytest.raises(SystemExit):
            run_trial(CONFIG, tmp_path / "trial-0000")
    with pytest.raises(UserError, match=r"^its process died 5 times after step 0 \(out of memory\?\)$"):
        run_trial(CONFIG, tmp_path / "trial-0000")


def test_the_test_split_is_not_judged_on(digits_data):
    data = images(CONFIG)
    assert len(data.train) + len(data.validation) == len(digits_data.train)
    with pytest.raises(UserError, match="`batch_size` must be at most the number of training images"):
        images(dataclasses.replace(CONFIG, batch_size=2000))
