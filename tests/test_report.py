"""A run's report: one self-contained page with the numbers of the run's files."""

import json
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import qssl_tf as q
from qssl_tf.evaluation.trained_run import WEIGHTS
from qssl_tf.reports.figures import feature_names
from qssl_tf.reports.report import write_page

CHROMIUM = Path(__file__).with_name("chromium.sh")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The packaged digits run, drawn."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    shutil.copytree(WEIGHTS / "digits-ring", folder)
    result = {"backend": "fake_<paris>", "images": 900, "shots": 1024, "mitigation": "affine", "two_qubit_gates": 64}
    result |= {"accuracy": 48.25, "accuracy_exact": 49.0, "rms_error": 0.0381}
    (folder / "ibmq" / "one").mkdir(parents=True)
    (folder / "ibmq" / "one" / "result.json").write_text(json.dumps(result))
    (folder / "ibmq" / "latest").symlink_to("one")
    trained_run = q.load_run(folder)
    q.write_report(trained_run)
    return trained_run


class Page(HTMLParser):
    """The open tags, the links, the pictures and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.words, self.pictures = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attribute = dict(attributes)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.links += [attribute[name] for name in ("src", "href") if name in attribute]
        self.pictures += [attribute["alt"]] if tag == "img" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data.strip())


def test_the_page_is_complete_and_self_contained(run):
    page = Page((run.folder / "report.html").read_text())
    assert page.open == [] and all(link.startswith("data:image/png;base64,") for link in page.links)
    assert {"map of the features (pca)", "map of the features (tsne)", "distribution of each feature",
            "trained circuit", "angles of the encoder"} <= set(page.pictures)  # fmt: skip
    for heading in ("Images", "Linear probe", "Representation", "Devices", "Settings", "Versions"):
        assert heading in page.words
    probe = json.loads((run.folder / "probe.json").read_text())
    assert f"{probe['accuracy_last']:.2f} %" in page.words and "48.25 %" in page.words
    sizes = [sum(row) for row in probe["confusion"]]  # the file is of a version that lacked the two below
    recalls = [100 * row[index] / sizes[index] for index, row in enumerate(probe["confusion"])]
    assert {f"{np.mean(recalls):.2f} %", f"{100 * max(sizes) / sum(sizes):.2f} %"} <= set(page.words)
    assert page.words.count("fake_<paris>") == 1  # escaped, and the link `latest` is not a second run


def test_projector_files_lie_beside_the_curves(run):
    assert (run.folder / "tensorboard" / "projector_config.pbtxt").exists()
    assert feature_names(run, 8) == [f"Z{qubit}" for qubit in range(8)]


@pytest.fixture(scope="module")
def browser():
    """Chromium, installed where there is none."""
    done = subprocess.run(["sh", CHROMIUM], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"no Chromium, and it could not be installed: {done.stderr[-500:]}"
    return done.stdout.strip()


def rendered(browser, page, tmp_path):
    """Return the page as Chromium has it after loading."""
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom",
         f"--user-data-dir={tmp_path}", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_chromium_shows_every_picture(browser, run, tmp_path):
    page = rendered(browser, run.folder / "report.html", tmp_path)
    assert len(re.findall("<img ", page)) == 5 and "<h2>Settings</h2>" in page


# Within a frame of the page: its needed width, its pictures' widest, and the words of tables that lie in two lines. A
# line may end at a space or a hyphen, and nowhere else.
MEASURE = """<p id="result"></p><script>
  const frame = document.querySelector("iframe");
  frame.onload = () => {
    const page = frame.contentDocument, broken = [];
    const widest = Math.max(...[...page.images].map((image) => image.getBoundingClientRect().width));
    for (const cell of page.querySelectorAll("td, th"))
      for (const part of cell.childNodes)
        for (const word of part.textContent.matchAll(/[^\\s-]+/g)) {
          const range = page.createRange();
          range.setStart(part, word.index);
          range.setEnd(part, word.index + word[0].length);
          if (range.getClientRects().length > 1) broken.push(word[0]);
        }
    document.getElementById("result").textContent =
      `${page.documentElement.scrollWidth} ${widest} [${broken.join(" ")}]`;
  };
</script>"""


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_it_fits_the_window_and_no_word_of_a_table_is_broken(browser, run, tmp_path, width):
    text = escape((run.folder / "report.html").read_text())
    frame = f'<iframe width="{width}" height="700" style="border: 0" srcdoc="{text}"></iframe>'
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html>{frame}{MEASURE}")
    page = rendered(browser, tmp_path / "frame.html", tmp_path)
    needed, widest, broken = re.search(r'id="result">([\d.]+) ([\d.]+) \[(.*?)\]<', page).groups()
    assert 200 < float(widest) <= float(needed) <= width
    assert broken == ""


def test_a_damaged_result_is_one_line(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.folder, copy, symlinks=True)
    (copy / "ibmq" / "one" / "result.json").write_text("{")
    with pytest.raises(q.UserError, match=r"result\.json cannot be read \(.*\); restore or remove it\."):
        write_page(q.load_run(copy), {})


def test_the_command(run, here):
    done = here("-m", "qssl_tf", "report", run.folder)
    assert done.returncode == 0 and done.stdout.endswith(f"report: {run.folder / 'report.html'}\n"), done.stderr
    done = here("-m", "qssl_tf", "report", run.folder / "nowhere")
    assert done.returncode == 2 and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("width", "images", "reason"),
    [(2, 60, "all features are equal"), (1, 60, "a map needs at least 4 images and 2 features; got 6 and 1"),
     (2, 24, "a map needs at least 4 images and 2 features; got 3 and 2")],
)  # fmt: skip
def test_black_images_few_images_and_a_single_feature_are_reported_without_a_map(tmp_path, width, images, reason):
    pixels = np.zeros((images, 8, 8, 1), np.uint8)
    black = q.ImageData.from_arrays(pixels, np.arange(images) % 2, test_fraction=0.1)
    config = q.Config(width=width, ansatz="none", layers=1, batch_size=4, steps=1)
    page = q.write_report(q.pretrain(black, config, runs_dir=tmp_path, name="black")).read_text()
    assert page.count(f"): {reason}</p>") == 2
