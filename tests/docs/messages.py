"""Every sentence that the package refuses something with, read from its source."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("qssl_tf", "trainers", "tuning", "benchmarks")
HOLE = "…"  # where a value stands


def template(node):
    """Return a message as a command prints it, with `…` for what is put in at run time."""
    match node:
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="argument"), args=[ast.Constant(value=name), *value])):
            word = [str(value[0].value) if isinstance(value[0], ast.Constant) else HOLE] if value else []
            return " ".join([f"--{name.replace('_', '-')}", *word])
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="argument"), args=[_, *value])):
            return f"--{HOLE} {HOLE}" if value else f"--{HOLE}"
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="resumption"))):
            return f"--resume {HOLE}"
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="command"), args=[ast.Constant(), *flags])):
            return " ".join([HOLE, *(flag.value if isinstance(flag, ast.Constant) else HOLE for flag in flags)])
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part) for part in parts)
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return template(left) + template(right)
    return HOLE


def messages():
    """Return the template of every `UserError(...)`, with the place where it stands."""
    return [
        (template(node.args[0]), f"{path.relative_to(ROOT)}:{node.lineno}")
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "UserError"
    ]
