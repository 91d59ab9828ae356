"""The site, built as `make docs` does: strict, whole, and with nothing fetched from elsewhere."""

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser

import pytest
from blocks import ROOT

import qssl_tf
from qssl_tf.config import Config
from qssl_tf.presets import PRESETS


class Links(HTMLParser):
    """Where a page points, what it loads, and its anchors."""

    def __init__(self, text):
        super().__init__()
        self.points, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if tag == "a" and given.get("href"):
            self.points.append(given["href"])
        self.loads += [given["src"]] if given.get("src") else []
        self.loads += [given["href"]] if tag == "link" and given.get("rel") == "stylesheet" else []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, timeout=300,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {path: Links(path.read_text()) for path in folder.rglob("*.html") if path.name != "404.html"}


def test_every_link_within_the_site_leads_somewhere(site):
    for path, page in site.items():
        for link in page.points:
            place, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (path.parent / place).resolve() if place else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{path}: {link}"
            if anchor and target in site:
                assert anchor in site[target].anchors, f"{path}: {link}"


def test_nothing_is_fetched_from_elsewhere(site):
    assert [load for page in site.values() for load in page.loads if re.match(r"[a-z]+:|//", load)] == []


def test_the_tour_shows_what_the_notebook_keeps(site):
    cells = json.loads((ROOT / "examples/tour.ipynb").read_text())["cells"]
    figures = [output for cell in cells for output in cell.get("outputs", ()) if "image/png" in output.get("data", ())]
    path, page = next((path, page) for path, page in site.items() if path.parent.name == "tour")
    shown = [path.parent / load for load in page.loads if load.endswith(".png")]
    assert len(shown) == len(figures) >= 7
    assert [base64.b64encode(file.read_bytes()) for file in shown] == [
        output["data"]["image/png"].replace("\n", "").encode() for output in figures
    ]


def test_every_public_name_stands_in_the_reference(site):
    reference = next(page for path, page in site.items() if path.parent.name == "python")
    for name, home in qssl_tf._HOMES.items():
        assert f"{home}.{name}" in reference.anchors, name


def test_every_setting_and_preset_stands_in_its_table(site):
    text = next(path for path in site if path.parent.name == "settings").read_text()
    for name in [*(item.name for item in fields(Config)), *PRESETS]:
        assert f"<td><code>{name}</code></td>" in text, name
