"""What a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qssl_tf.errors import shell
from qssl_tf.plugins import plugin_flags
from qssl_tf.studies.records import Record
from qssl_tf.studies.studies import Study, study


@dataclass(frozen=True)
class Findings:
    """What a report is made of.

    Attributes:
        name: Key of STUDIES.
        records: The finished runs.
        device: The device's result, if it ran.
        folder: Where the report goes.
    """

    name: str
    records: Sequence[Record]
    device: Mapping[str, Any] | None
    folder: Path

    @property
    def study(self) -> Study:
        """The study."""
        return study(self.name)

    @property
    def command(self) -> str:
        """What makes this report again."""
        study = [] if self.name == "paper" else [self.name]
        return shell("qssl", "reproduce", *study, *plugin_flags())  # whoever began it, the page is the same

    def path(self, stem: str, suffix: str) -> Path:
        """Return a file of the report; those of the paper's own study have plain names."""
        return self.folder / f"{stem}{'' if self.name == 'paper' else f'-{self.name}'}.{suffix}"
