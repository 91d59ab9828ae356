"""Every message of the package carries its own remedy or stands in docs/troubleshooting.md; and nothing else does."""

import re

import pytest
from blocks import DOCS
from messages import messages

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
ENTRIES = [long or short for long, short in re.findall(r"^- (?:`` (.+?) ``|`([^`]+)`)", PAGE, re.M)]
MESSAGES = messages()
# A rule ("must"), or a clause or sentence after what is wrong that is not a mere value.
REMEDY = re.compile(r"must\b|; (?!got|it has|seed|they )\w|; …|\. [A-Z]|: take |: say |: find ")
PASSED_ON = re.compile(r"[…: ]+")  # the sentence of another error, with a place in front


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_a_message_of_the_package(entry):
    assert any(entry in message for message, _ in MESSAGES)


def test_every_message_has_a_remedy():
    assert len(MESSAGES) > 200
    without = [
        f"{place}: {message}"
        for message, place in MESSAGES
        if not (PASSED_ON.fullmatch(message) or REMEDY.search(message) or any(entry in message for entry in ENTRIES))
    ]
    assert without == []
