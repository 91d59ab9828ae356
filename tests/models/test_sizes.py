"""Size estimates from settings: against the weights of built Keras models, and in a process with limited memory."""

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.files.checksums import SUMS
from qssl_tf.models import sizes
from qssl_tf.models.encoders import BACKBONE_OUTPUTS
from qssl_tf.quantum import simulators
from qssl_tf.training.fit import build
from qssl_tf.training.runs import WEIGHTS


@pytest.fixture
def folder(tmp_path):
    """The ready weights of the digits as an untrusted folder without checksums."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "run", ignore=shutil.ignore_patterns(SUMS))
    return tmp_path / "run"


WIDE = [
    {"projector": [65536, 65536]},
    {"head": "classical", "width": 4096, "layers": 64},
    {"head": "mlp", "head_hidden": 4096, "layers": 64},
    {"width": 24, "encoding": "amplitude"},
    {"projector": [65536] * 16},
]


@pytest.fixture
def limited_memory():
    """Limit this process to 1 GB more than it uses, so that an allocation by mistake fails only this test."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text().splitlines()
    used_kilobytes = int(next(line for line in status if "VmData" in line).split()[1])
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * used_kilobytes + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize("settings", WIDE)
@pytest.mark.usefixtures("limited_memory")
def test_settings_beyond_their_weights_are_refused_before_any_allocation(folder, settings, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 1 << 50)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    for route in (q.load_run, q.linear_probe, q.write_report, q.run_on_device):
        with pytest.raises(q.UserError, match=r"is damaged \(it has 0\.5 MB, and `.* in config\.json need .* GB of w"):
            route(folder)


@pytest.mark.parametrize("settings", WIDE)
@pytest.mark.usefixtures("limited_memory")
def test_settings_beyond_memory_are_refused_in_one_line(settings, here, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 2 * 10**9)
    flags = []
    for name, value in settings.items():
        flags += [f"--{name.replace('_', '-')}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    result = here("trainers/pretrain.py", "--runs-dir", tmp_path, *flags)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    first = next(name for name in ("projector", "encoding", "width", "head_hidden") if name in settings)
    assert result.stderr.startswith(f"error: `{first}` ") and "; 2.0 GB are left on this machine;" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"width": 3, "observables": "z_zz", "projector": [7, 5, 3]},
        {"width": 3, "observables": "Z0,Z1Z2", "encoder": "vgg_small"},
        {"head": "classical", "width": 6, "layers": 3},
        {"head": "trigonometric", "width": 4},
        {"head": "trigonometric", "width": 4, "head_features": 11},
        {"head": "fourier", "width": 4, "head_features": 7},
        {"head": "cosines", "width": 4},
        {"head": "mlp", "width": 4, "layers": 3, "head_hidden": 5, "head_features": 6},
        {"head": "identity", "width": 5, "project": False},
        {"width": 3, "encoding": "amplitude", "encoder": "vgg_small"},
    ],
)
def test_weights_are_counted_as_keras_makes_them(settings, digits_data):
    config = q.Config.from_dict({"layers": 1, "batch_size": 16, **settings})
    model, _ = build(config, digits_data)
    kernels = {"encoder": 0, "head": 0, "projector": 0}
    kernels["encoder"] = int(np.prod(model.encoder.get_layer("compress").kernel.shape))
    kernels["projector"] = sum(int(np.prod(w.shape)) for w in model.projector.weights if len(w.shape) == 2)
    if config.head != "quantum":
        kernels["head"] = sum(int(np.prod(w.shape)) for w in model.head.weights if len(w.shape) == 2)
    assert sizes.configured_weights(config) == kernels
    assert sizes.head_features(config) == model.head.compute_output_shape((None, model.encoder.output_shape[1]))[1]


STEPS = [
    (
        {"batch_size": 1024}, 3 * 10**7,
        "`batch_size` 1024 needs about 88.2 MB of memory for the views of a batch in `encoder` 'small_cnn'; 30.0 MB "
        "are left on this machine; take a smaller value, or `recompute_blocks=True`.",
    ),
    (
        {"batch_size": 1024, "width": 2}, 10**7,
        "`batch_size` 1024 needs about 16.8 MB of memory for weights and a batch; 10.0 MB are left on this machine; "
        "take a smaller value.",
    ),
    (
        {"batch_size": 2, "width": 10}, 2 * 10**5,
        "`width` 10 needs about [\\d.]+ GB of memory for the states of a single row in training; this machine has "
        "0.0002 GB left; take fewer qubits or layers.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "free_bytes", "sentence"), STEPS)
def test_a_step_beyond_memory_is_refused_in_one_line(settings, free_bytes, sentence, digits_data, monkeypatch):
    for module in (sizes, simulators):
        monkeypatch.setattr(module, "available", lambda: free_bytes)
    config = q.Config.from_dict({"projector": [2], **settings})
    with pytest.raises(q.UserError, match=f"^{sentence}$"):
        build(config, digits_data)


def test_loading_needs_no_memory_for_a_training_step(folder, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 10**6)
    q.load_run(folder)


def test_the_outputs_of_each_backbone_are_known():
    assert set(BACKBONE_OUTPUTS) == {
        "small_cnn", "vgg_tiny", "vgg_small", "resnet18", "resnet18_cifar"
    }  # fmt: skip
