"""What is refused before anything costs time, each in one sentence."""

from types import SimpleNamespace

import pytest

from qssl_tf.cli import device as command
from qssl_tf.device.door import device_for
from qssl_tf.device.options import DeviceOptions
from qssl_tf.errors import UserError


@pytest.fixture
def run(tmp_path):
    """A function (settings) -> a probed run as far as the door looks at it."""

    def of(**settings):
        (tmp_path / "probe.json").write_text("{}")
        config = SimpleNamespace(**({"head": "quantum", "width": 4, "noise": "none"} | settings))
        return SimpleNamespace(folder=tmp_path, probe=tmp_path / "probe.json", config=config)

    return of


@pytest.mark.parametrize(("settings", "options", "sentence"), [
    ({"head": "classical"}, {}, "`head` must be quantum for a device; {folder} has 'classical'."),
    ({"width": 6}, {"backend": "fake_manila"},
     "`backend` must have at least 6 qubits for this run; fake_manila has 5."),
    ({}, {"budget": "left"},
     "`budget` without a time is what the account has left, and fake_paris is simulated; name a time: `budget='4m'`."),
    ({}, {"budget": 5}, "`budget` must be above 5 s, the overhead of a job alone; got 5 s."),
    ({"noise": "fake_torino"}, {"backend": "fake_torino", "gates": "fractional"},
     "`gates='fractional'` is not for this run, which was trained for fake_torino with its standard gates; take "
     "`gates='standard'`."),
])  # fmt: skip
def test_what_is_refused(run, settings, options, sentence):
    opened = run(**settings)
    with pytest.raises(UserError) as error:
        device_for(opened, DeviceOptions(**options))
    assert str(error.value) == sentence.format(folder=opened.folder)


def test_a_run_without_a_probe(run):
    opened = run()
    opened.probe.unlink()
    with pytest.raises(UserError, match="probe.json does not exist; probe the run with `qssl_tf.linear_probe"):
        device_for(opened, DeviceOptions())


def test_a_plan_is_not_planned_again(monkeypatch):
    monkeypatch.setattr("sys.argv", ["device", "--resume", "--budget", "1m"])
    with pytest.raises(UserError) as error:
        command.main()
    assert str(error.value) == (
        "--budget plans a new device run; leave it out with --resume, which runs what was planned."
    )
