"""The secret that all processes of a run or a search share; each proves that it has it, and none sends it."""

import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from qssl_tf.commands import argument
from qssl_tf.errors import UserError, reason
from qssl_tf.files.read import read_text

VARIABLE = "QSSL_TF_SECRET"
FILE = ".secret"  # in the folder of all runs, or of all searches
SHORTEST, LONGEST = 32, 4096  # characters: whoever listens on the network may try short ones


def same_secret() -> str:
    """Return what helps where workers have different secrets."""
    return f"give all the same one by {argument('secret_file')} or {VARIABLE}, or a folder that all see."


@dataclass(frozen=True)
class Secret:
    """What is shared, and where it was found.

    Attributes:
        words: The secret itself.
        source: Where it was found, for messages.
    """

    words: bytes = field(repr=False)
    source: str

    def proof(self, *parts: bytes) -> bytes:
        """Return 64 hexadecimal digits that only whoever has the secret can make for these parts (HMAC-SHA256)."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.new(self.words, framed, "sha256").hexdigest().encode()

    def proves(self, proof: bytes, *parts: bytes) -> bool:
        """Return whether a proof is that of these parts, in a time that does not depend on where it differs."""
        return hmac.compare_digest(proof, self.proof(*parts))


def find_secret(folder: Path, file: Path | None = None) -> Secret:
    """Return the secret: that of a file that was named, of the variable, or of the folder that all share.

    Args:
        folder: Of all runs, or of all searches; whoever comes first makes a secret in it, readable by its owner alone.
        file: The file that was named.

    Raises:
        UserError: It is missing, too short, or readable by others.
        OSError: The folder cannot be written to.
    """
    if file is not None:
        return _read(file, argument("secret_file"))
    words = os.environ.get(VARIABLE)
    if words is not None:
        return _checked(words, f"the variable {VARIABLE}")
    path = folder / FILE
    if not path.exists():
        _make(path)
    return _read(path, "the workers' secret")


def _make(path: Path) -> None:
    """Write a new secret, unless another process was faster; it is never there in part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "w", encoding="ascii") as written:
            written.write(secrets.token_hex(32) + "\n")
            written.flush()
            os.fsync(written.fileno())
        os.link(temporary, path)  # unlike a rename it replaces nothing
    except FileExistsError:
        pass
    except OSError as error:
        raise UserError(
            f"{path} cannot be made ({error.strerror}); set {VARIABLE} to the same {SHORTEST} characters or more "
            "for all workers."
        ) from None
    finally:
        temporary.unlink()


def _read(path: Path, what: str) -> Secret:
    try:
        words = read_text(path, LONGEST)
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
        raise UserError(f"{what} cannot be read from {path} ({why}); name a file that its owner can read.") from None
    if mode & 0o077:
        raise UserError(f"{what} in {path} is open to others (mode {mode:04o}); close it with: chmod 600 {path}")
    return _checked(words, str(path))


def _checked(words: str, source: str) -> Secret:
    words = words.strip()
    if not SHORTEST <= len(words) <= LONGEST:
        raise UserError(
            f"{source} must hold a secret of {SHORTEST} to {LONGEST} characters; got {len(words)}; "
            "make one with: openssl rand -hex 32"
        )
    return Secret(words.encode("utf-8", "surrogateescape"), source)
