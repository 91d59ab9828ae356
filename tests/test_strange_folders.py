"""Folders of strangers on every route that opens one: nothing of this machine goes out, nothing hangs or is huge."""

import dataclasses
import html
import json
import os
import resource
import shutil
import signal
from html.parser import HTMLParser
from pathlib import Path

import markdown
import numpy as np
import pytest
from plan import Plan, read_plan, write_plan
from space import Range

import qssl_tf as q
from qssl_tf import memory
from qssl_tf.checksums import SUMS, check_sums, listed, write_sums
from qssl_tf.device_records import chosen
from qssl_tf.files import append_text
from qssl_tf.links import check_own_files, point_latest
from qssl_tf.lock import locked
from qssl_tf.models import sizes
from qssl_tf.models.encoders import FEATURES
from qssl_tf.pictures import of_run
from qssl_tf.pictures.page import page, table
from qssl_tf.publishing.card import Facts, card
from qssl_tf.publishing.folder import share
from qssl_tf.quantum import simulators
from qssl_tf.report import write_page
from qssl_tf.training.facts import read_facts, read_versions
from qssl_tf.training.pretrain import build
from qssl_tf.training.runs import WEIGHTS, create_run, newest_run, open_run

SECRET = b"token=0123456789abcdef0123456789abcdef\n"
SECONDS = 60  # until something that hangs is called so


@pytest.fixture
def folder(tmp_path):
    """The ready digits as somebody's folder without checksums."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "run", ignore=shutil.ignore_patterns(SUMS))
    return tmp_path / "run"


@pytest.fixture
def shared(tmp_path):
    """The ready digits as they were shared."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "shared")
    return tmp_path / "shared"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "account.json"
    path.write_bytes(SECRET)
    return path


@pytest.fixture(autouse=True)
def alarm():
    """End a test that hangs."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)


# Who opens a folder -> how.
ROUTES = {
    "load_run": q.load_run,
    "linear_probe": q.linear_probe,
    "resume": q.resume,
    "write_report": q.write_report,
    "draw_run": q.draw_run,
    "run_on_device": lambda folder: q.run_on_device(folder, "aer", images=2, shots=10),
    "share": lambda folder: share(open_run(folder), folder.with_name("out"), licence="x"),
}
PLACES = ("history.csv", "figures/loss.png", "checkpoints/step-000500.weights.h5", "config.json", "ibmq/latest", "note")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", PLACES)
def test_links_are_refused_wherever_they_lie(folder, secret, route, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(secret)
    with pytest.raises(q.UserError) as error:
        ROUTES[route](folder)
    assert str(error.value) == (
        f"{path} is a link to another place; such a folder must hold its own files: put the file itself there."
    )
    assert secret.read_bytes() == SECRET
    assert {entry.name for entry in folder.parent.iterdir()} == {"run", "account.json"}


@pytest.mark.parametrize("command", ["qssl_tf.share", "qssl_tf.report"])
def test_commands_give_nothing_of_this_machine_away(folder, secret, here, command, tmp_path):
    (folder / "figures").mkdir()
    (folder / "figures" / "views.png").symlink_to(secret)
    words = ["--output", tmp_path / "out"] if command.endswith("share") else []
    done = here("-m", command, folder, *words)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is a link to another place" in done.stderr
    assert not (tmp_path / "out").exists() and not (folder / "report.html").exists()


def test_what_is_no_picture_is_not_shown(folder, secret):
    """A copy or a hard link in a picture's place, which no look at the kind of file can tell."""
    (folder / "figures").mkdir()
    os.link(secret, folder / "figures" / "loss.png")
    with pytest.raises(q.UserError, match=r"loss\.png cannot be shown \(it is no PNG file\); remove it, and draw"):
        write_page(q.load_run(folder), {})
    assert not (folder / "report.html").exists()


def test_the_newest_device_run_is_a_sibling(folder):
    devices = folder / "ibmq"
    (devices / "one").mkdir(parents=True)
    (devices / "one" / "record.json").write_text("{}")
    point_latest(devices / "one")
    check_own_files(folder)
    for target in ("../..", "..", ".", "../../elsewhere", str(folder), "one/../one", "latest"):
        (devices / "latest").unlink()
        (devices / "latest").symlink_to(target)
        with pytest.raises(q.UserError, match="latest is a link to another place"):
            open_run(folder)
        with pytest.raises(q.UserError):
            chosen(devices, "")


@pytest.mark.parametrize("target", ["..", "../runs2/run", "a/b"])
def test_the_newest_run_is_a_sibling(tmp_path, target):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(target)
    (tmp_path / "runs2" / "run").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "b").mkdir(parents=True)
    with pytest.raises(q.UserError, match="points out of its folder"):
        newest_run(tmp_path / "runs")


def test_a_search_holds_its_own_files(tmp_path, secret):
    plan = Plan(q.Config(validation_fraction=0.2), {"jitter": Range(0.2, 1.6)}, "random", 5, "loss", 0)
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    (tmp_path / "trials" / "trial-0000").mkdir(parents=True)
    (tmp_path / "trials" / "trial-0000" / "failure.txt").symlink_to(secret)
    with pytest.raises(q.UserError, match=r"failure\.txt is a link to another place"):
        read_plan(tmp_path)


@pytest.mark.parametrize("name", ["checkpoints/step-000500.weights.h5", "history.csv", "data.json", "x"])
def test_pipes_are_refused_and_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(q.UserError, match="is a pipe or device; such a folder must hold its own files"):
        q.load_run(folder)


def make_pipe(path, aside):
    os.mkfifo(path)


def make_link(path, aside):
    path.symlink_to(aside)


def make_folder(path, aside):
    path.mkdir()


@pytest.mark.parametrize("make", [make_pipe, make_link, make_folder])
@pytest.mark.parametrize("wait", [False, True])
def test_a_lock_is_an_empty_file_or_nothing_is_done(tmp_path, make, wait):
    lock, aside = tmp_path / ".run.lock", tmp_path / "aside"
    make(lock, aside)
    with pytest.raises(q.UserError) as error, locked(tmp_path / "run", wait):
        pass
    what = "it is a link" if make is make_link else "it is no file"
    assert str(error.value) == f"{lock} must be an empty file, and {what}; remove it."
    assert not aside.exists()
    with pytest.raises((ValueError, OSError)):
        append_text(lock, "x")
    assert not aside.exists()


def test_a_changed_file_of_a_shared_folder_is_named_on_every_route(shared):
    facts = json.loads((shared / "data.json").read_text())
    facts["class_names"][3] = "nine"
    (shared / "data.json").write_text(json.dumps(facts))
    for name, route in ROUTES.items():
        with pytest.raises(q.UserError, match=r"data\.json is not the file that SHA256SUMS vouches for; get") as error:
            route(shared)
        assert str(shared / "data.json") in str(error.value), name


def without(folder, *names):
    """Take files off a folder's list."""
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(line for line in lines if not line.strip().endswith(names)))


@pytest.mark.parametrize("name", ["data.json", "config.json", "versions.json", "checkpoints/step-000500.weights.h5"])
def test_what_decides_a_run_stands_in_its_list(shared, name):
    without(shared, name)
    with pytest.raises(q.UserError) as error:
        q.load_run(shared)
    path = shared / name
    assert str(error.value) == (
        f"{path} must stand in SHA256SUMS, as it decides what this run is, and does not; get the folder again from "
        "where it came."
    )


def test_a_checkpoint_that_was_added_is_not_taken_for_the_newest(shared):
    first = shared / "checkpoints" / "step-000500.weights.h5"
    shutil.copyfile(first, first.with_name("step-000900.weights.h5"))
    with pytest.raises(q.UserError, match=r"step-000900\.weights\.h5 must stand in SHA256SUMS"):
        q.load_run(shared)


def test_results_may_be_added_to_a_shared_folder(shared, digits_data):
    """A run that was shared without a probe is probed by who got it, and stays what its list vouches for."""
    without(shared, "probe.json", "probe.npz")
    for name in ("probe.json", "probe.npz"):
        (shared / name).unlink()
    before = listed(shared)
    result = q.linear_probe(shared, probe_epochs=2, probe_protocol="clean")
    assert json.loads((shared / "probe.json").read_text())["accuracy_last"] == result.accuracy_last
    run = q.load_run(shared)
    assert run.predict(digits_data.test.images).shape == (360,)
    write_page(run, {})
    assert listed(shared) == before
    q.load_run(shared)


def test_a_listed_report_is_not_written_over(shared):
    (shared / "report.html").write_text("theirs")
    write_sums(shared)
    with pytest.raises(q.UserError, match="was made for others and keeps its report; copy it and remove SHA256SUMS"):
        write_page(q.load_run(shared), {})
    assert (shared / "report.html").read_text() == "theirs"
    check_sums(shared)


def test_pictures_of_a_shared_folder_stay_and_new_ones_are_added(shared, digits_data, monkeypatch):
    few = dataclasses.replace(digits_data, test=digits_data.test.take(np.arange(30)))
    monkeypatch.setattr(of_run, "images_of", lambda run, data: few)
    monkeypatch.setattr(of_run, "METHODS", ("pca",))
    (shared / "figures").mkdir()
    shutil.copyfile(next(Path("docs/images").glob("*.png")).resolve(), shared / "figures" / "features.png")
    write_sums(shared)
    drawn = q.draw_run(shared)
    assert {path.name for path in drawn.values()} >= {"features.png", "map-pca.png", "circuit.png"}
    check_sums(shared)


def test_a_shared_run_is_not_trained_on(shared):
    with pytest.raises(q.UserError) as error:
        q.resume(shared)
    assert str(error.value) == (
        f"{shared} was made for others and keeps its weights; copy it and remove SHA256SUMS there to go on with it."
    )


def test_lists_name_files_of_the_folder(shared, secret):
    for name in (str(secret), "../account.json", "a/../../account.json"):
        (shared / SUMS).write_text(f"{'0' * 64}  {name}\n")
        with pytest.raises(q.UserError, match="must name a checksum and a file in each line"):
            open_run(shared)


WIDE = [
    {"projector": [65536, 65536]},
    {"head": "classical", "width": 4096, "layers": 64},
    {"width": 24, "encoding": "amplitude"},
    {"projector": [65536] * 16},
]


@pytest.fixture
def small():
    """Let this process take 1 GB more than it has, so that what is made all the same ends the test and no more."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    status = Path("/proc/self/status").read_text().splitlines()
    taken = int(next(line for line in status if "VmData" in line).split()[1])
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * taken + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


@pytest.mark.parametrize("settings", WIDE)
@pytest.mark.usefixtures("small")
def test_settings_beyond_their_weights_are_refused_before_anything_is_made(folder, settings, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 1 << 50)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | settings))
    for name in ("load_run", "linear_probe", "write_report", "run_on_device"):
        with pytest.raises(q.UserError, match=r"is damaged \(it has 0\.5 MB, and `.* in config\.json need .* GB of w"):
            ROUTES[name](folder)


@pytest.mark.parametrize("settings", WIDE)
@pytest.mark.usefixtures("small")
def test_own_settings_beyond_memory_are_one_line(settings, here, tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 2 * 10**9)
    flags = []
    for name, value in settings.items():
        flags += [f"--{name}", ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    done = here("trainers/pretrain.py", "--runs-dir", tmp_path, *flags)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    first = next(name for name in ("projector", "encoding", "width") if name in settings)
    assert done.stderr.startswith(f"error: `{first}` ") and "; 2.0 GB are left on this machine;" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"width": 3, "observables": "z_zz", "projector": [7, 5, 3]},
        {"width": 3, "observables": "Z0,Z1Z2", "encoder": "vgg_small"},
        {"head": "classical", "width": 6, "layers": 3},
        {"head": "trigonometric", "width": 4},
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
    assert sizes.chosen_weights(config) == kernels
    assert sizes.head_features(config) == model.head.compute_output_shape((None, model.encoder.output_shape[1]))[1]


STEPS = [
    (
        {"batch_size": 1024}, 3 * 10**7,
        "`batch_size` 1024 needs about 88.2 MB of memory for the views of a batch in `encoder` 'small_cnn'; 30.0 MB "
        "are left on this machine; take a smaller value.",
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


@pytest.mark.parametrize(("settings", "left", "sentence"), STEPS)
def test_a_step_beyond_memory_is_one_line(settings, left, sentence, digits_data, monkeypatch):
    for module in (sizes, simulators):
        monkeypatch.setattr(module, "available", lambda: left)
    config = q.Config.from_dict({"projector": [2], **settings})
    with pytest.raises(q.UserError, match=f"^{sentence}$"):
        build(config, digits_data)


def test_what_is_read_needs_no_room_for_a_step(folder, monkeypatch):
    monkeypatch.setattr(sizes, "available", lambda: 10**6)
    q.load_run(folder)


def test_each_encoder_s_features_are_known():
    assert set(FEATURES) == {
        "small_cnn", "vgg_tiny", "vgg_small", "resnet18", "resnet18_cifar"
    }  # fmt: skip


def test_memory_of_a_container_counts(tmp_path):
    whole = memory.available(tmp_path)
    assert whole > 10**8
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available(tmp_path) > 10**8
    for name, text in (("max", "1000"), ("current", "700"), ("stat", "anon 5\ninactive_file 200\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory.available(tmp_path) == 500


HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "[a](javascript:alert(1))", "![](http://x.example)",
    "**bold** _low_ ~~gone~~", "a | b", "`code` ``two``", "# head", "&lt;b&gt;", "$x$", "http://x.example www.x.it",
    "line\nbreak\n\n# head", "<!-- x", "\\", "||", "- item", "x" * 300,
]  # fmt: skip


class Seen(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, *attributes))

    def handle_data(self, data):
        self.text += data


def renderers():
    """Return programs that make HTML of Markdown: Python-Markdown, and CommonMark with GitHub's additions."""
    from markdown_it import MarkdownIt

    return [
        lambda text: markdown.markdown(text, extensions=["tables", "fenced_code"]),
        MarkdownIt("gfm-like", {"linkify": False, "html": True}).render,
    ]


def facts_of(run, name, word):
    facts = read_facts(run) | {"name": word, "class_names": [word, "dog"]}
    probe = json.loads(run.probe.read_text()) | {
        "per_class_accuracy": {word: 50.0, "dog": 60.0}, "split": word, "protocol": word, "balanced_accuracy": 50.0,
        "majority_share": 10.0,
    }  # fmt: skip
    versions = read_versions(run.folder) | {"keras": word}
    config = q.Config.from_dict(run.config.to_dict() | {"dataset": word[:200]})
    return Facts(name, config, facts, versions, 500, probe, {}, word)


@pytest.mark.parametrize("word", HOSTILE)
def test_names_are_shown_as_they_are_in_a_card(folder, word):
    run = open_run(folder)
    plain, hostile = (card(facts_of(run, name, name)) for name in ("cat", word))
    shown = word.replace("\n", "\\n")
    for render in renderers():
        expected, found = Seen(render(plain)), Seen(render(hostile))
        assert found.tags == expected.tags
        assert found.text.count(shown) >= 8, found.text
    code = hostile.split("```python\n")[1].split("```")[0]
    assert json.loads(code.split("load_run(")[1].split(")  #")[0]) == shown


@pytest.mark.parametrize("word", HOSTILE)
def test_names_are_shown_as_they_are_in_a_report(folder, word):
    plain, hostile = (Seen(page(name, {name: table([[name, name]], [name, name])})) for name in ("cat", word))
    shown = word.replace("\n", "\\n")
    assert plain.tags == hostile.tags and hostile.text.count(shown) == plain.text.count("cat")
    facts = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(facts | {"name": word}))
    if shown != word:  # nothing that steers a terminal is a name
        with pytest.raises(q.UserError, match=r"data\.json does not describe images \(its name is 'line"):
            q.load_run(folder)
        return
    text = (write_page(q.load_run(folder), {})).read_text()
    assert html.escape(shown) in text and "<script" not in text


def test_new_runs_are_opened_with_their_link(tmp_path):
    run = create_run(q.Config(width=2, layers=1, batch_size=16), tmp_path, "run", "digits")
    point_latest(run.folder)
    assert newest_run(tmp_path).folder == run.folder
