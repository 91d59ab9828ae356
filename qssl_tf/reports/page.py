"""The parts of a self-contained HTML page: it needs no other file and no network."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from qssl_tf.config import Config
from qssl_tf.errors import UserError
from qssl_tf.files.read import read_png
from qssl_tf.markup import printable

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2 { line-height: 1.2; } h2 { border-bottom: 1px solid #ccc; margin-top: 2.5rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; overflow-wrap: normal; }
td:nth-child(2):last-child { overflow-wrap: anywhere; }
tr { border-bottom: 1px solid #eee; } figure { margin: 1.5rem 0; } img { max-width: 100%; }
figcaption { color: #555; font-size: .9rem; } code { background: #f4f4f4; }
body { background: #fff; overflow-wrap: anywhere; }
"""


def escape(value: Any) -> str:
    """Return a value as text for HTML: escaped, with characters that no file can hold written out."""
    return html.escape(printable(str(value)))


def page(title: str, sections: Mapping[str, str]) -> str:
    """Return the page; sections without content are left out.

    Args:
        title: Plain text.
        sections: Heading -> HTML, from `table`, `figures` or `text`.
    """
    body = "\n".join(f"<h2>{escape(name)}</h2>\n{content}" for name, content in sections.items() if content)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def text(words: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(words)}</p>"


def table(rows: Iterable[Sequence[Any]], heads: Sequence[str] = ()) -> str:
    """Return rows of plain values as a table; an empty string without rows."""
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    header = f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>\n" if heads and lines else ""
    return f"<table>\n{header}" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "\n</table>" if lines else ""


def figures(sources: Mapping[str, Path | str]) -> str:
    """Return PNG files embedded as figures with captions; files that do not exist are left out.

    Args:
        sources: Caption -> file, or a clause that says why there is no figure.
    """
    return "\n".join(
        text(f"no {caption}: {source}")
        if isinstance(source, str)
        else f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,'
        f'{base64.b64encode(_png(source)).decode()}">\n<figcaption>{escape(caption)}</figcaption></figure>'
        for caption, source in sources.items()
        if isinstance(source, str) or source.is_file()
    )


def _png(path: Path) -> bytes:
    """Return the bytes of a figure in a run folder.

    Raises:
        UserError: It is not a PNG file; embedding it could leak some other file with the page.
    """
    try:
        return read_png(path)
    except ValueError as error:
        raise UserError(f"{path} cannot be shown ({error}); remove it, and draw the run again.") from None


def settings_table(config: Config) -> str:
    """Return a table of all settings, those that differ from the defaults first and marked."""
    defaults, values = Config().to_dict(), config.to_dict()
    changed = [name for name in values if values[name] != defaults[name]]
    names = [*changed, *(name for name in values if name not in changed)]
    rows = [(name, _format(values[name]), "not the default" if name in changed else "") for name in names]
    return table(rows, ("setting", "value", ""))


def _format(value: Any) -> str:
    if value is None or value == []:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
