"""Names and values that users or strangers chose, as Markdown shows them: never as markup, HTML or links."""

import json
import re
import unicodedata

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # Unicode's control characters, halves of pairs, separators of lines
# What begins something in one kind of Markdown or another, or in HTML. Written as a number each shows it as it is.
SPECIAL = re.compile(r"[\\`*{}\[\]()<>#|~&!$:@\"']|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE)


def printable(name: str) -> str:
    r"""Return a name that can be written everywhere: `\n`, `\xff` and the like stand for what cannot."""

    def written(letter: str) -> str:
        if unicodedata.category(letter) not in UNPRINTABLE:
            return letter
        code = ord(letter)
        # Python's sign for a byte of a file's name that is no UTF-8 is that byte and 0xDC00.
        return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ascii(letter)[1:-1]

    return "".join(map(written, name))


def plain(value: object) -> str:
    """Return a value as words within a line of Markdown."""
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", printable(str(value)))


def code(value: object) -> str:
    """Return a value as a span of code within a line of Markdown, also of a table."""
    text = printable(str(value)).replace("|", "\\|") or " "
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def quoted(value: str) -> str:
    """Return a text in double quotes, as Python and JSON write it, on one line."""
    return json.dumps(printable(value), ensure_ascii=False)
