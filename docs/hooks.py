"""Parts of the site that are written elsewhere: pages of the root, model cards, the notebook, tables of settings."""

import re
from dataclasses import fields
from pathlib import Path

import nbformat
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

from qssl_tf.config import Config
from qssl_tf.presets import PRESETS
from qssl_tf.registry import closed_words

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    **{f"weights/{card.parent.name}.md": card for card in sorted((ROOT / "qssl_tf" / "weights").glob("*/README.md"))},
}

TOUR = ROOT / "examples" / "tour.ipynb"


def on_files(files, config):
    """Add pages that lie outside of docs/."""
    for place, source in PAGES.items():
        text = source.read_text(encoding="utf-8").replace("](docs/", "](")  # links from the root
        files.append(File.generated(config, place, content=text))
    for place, content in tour().items():
        files.append(File.generated(config, place, content=content))
    return files


def tour():
    """Return the notebook as a page and its pictures, as wide as they are there; progress bars are left out."""
    notebook, widths = nbformat.read(TOUR, 4), []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            shown = (output.metadata for output in cell.outputs if "image/png" in output.get("data", ()))
            widths += [metadata.get("image/png", {}).get("width") for metadata in shown]
    page, kept = MarkdownExporter().from_notebook_node(notebook, {"output_files_dir": "tour"})
    wide = (f"{{width={width}}}" if width else "" for width in widths)
    return {
        "tour.md": re.sub(r"!\[png\](\(.*?\))", lambda found: f"![Figure]{found[1]}{next(wide)}", page),
        **kept["outputs"],
    }


def on_page_markdown(markdown, **_):
    """Put tables of settings and presets where a page asks for them."""
    for name, table in TABLES.items():
        mark = f"<!-- table: {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, table())
    return markdown


def settings_table():
    """Return every setting: its name, its default, what it means and its words."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for item in fields(Config):
        words = ": " + ", ".join(f"`{word}`" for word in closed_words(item.name)) if closed_words(item.name) else ""
        rows.append(f"| `{item.name}` | {_plain(item.default)} | {item.metadata['help']}{words} |")
    return "\n".join(rows)


def presets_table():
    """Return every preset and what it changes."""
    default, rows = Config().to_dict(), ["| preset | settings other than the defaults |", "|---|---|"]
    for name, chosen in PRESETS.items():
        values = chosen.to_dict()
        changed = [f"`{key}={_plain(values[key])}`" for key in values if values[key] != default[key]]
        rows.append(f"| `{name}` | {' '.join(changed) or 'the defaults'} |")
    return "\n".join(rows)


TABLES = {"settings": settings_table, "presets": presets_table}


def _plain(value):
    if value is None or value == () or value == []:
        return "none"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
