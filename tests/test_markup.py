"""Names that are Markdown, HTML or links, as two programs and a browser's parser read card and report."""

import html
import json
import shutil
from html.parser import HTMLParser

import markdown
import pytest

import qssl_tf as q
from qssl_tf.files.checksums import SUMS
from qssl_tf.reports.page import page, table
from qssl_tf.reports.report import write_page
from qssl_tf.sharing.card import CardContent, card
from qssl_tf.training.metadata import read_image_metadata, read_versions
from qssl_tf.training.runs import WEIGHTS, open_run


@pytest.fixture
def folder(tmp_path):
    """The ready digits as somebody's folder without checksums."""
    shutil.copytree(WEIGHTS / "digits-ring", tmp_path / "run", ignore=shutil.ignore_patterns(SUMS))
    return tmp_path / "run"


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
    facts = read_image_metadata(run) | {"name": word, "class_names": [word, "dog"]}
    probe = json.loads(run.probe.read_text()) | {
        "per_class_accuracy": {word: 50.0, "dog": 60.0}, "split": word, "protocol": word, "balanced_accuracy": 50.0,
        "majority_share": 10.0,
    }  # fmt: skip
    versions = read_versions(run.folder) | {"keras": word}
    config = q.Config.from_dict(run.config.to_dict() | {"dataset": word[:200]})
    return CardContent(name, config, facts, versions, 500, probe, {}, word)


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
