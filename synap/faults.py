"""The exceptions of the package. The table of the refusals that are sent to clients is in `fault_table.py`.

    SynapError
        Fault              a refusal for the caller: a row of the table with its words filled in
        BrokenNode         an internal error: the node stops rather than continue with a wrong state
        LogFailed          the disk refuses (synap/journal/errors.py): outcomes are unknown, writes are refused
"""

import re

from synap.fault_table import TABLE

_GAP = re.compile(r"\{([\w%]+)\}")

BY_NUMBER = {row.number: row for row in TABLE}
BY_NAME = {row.name: row for row in TABLE}


class SynapError(Exception):
    """The base class of the exceptions of this package."""


class Fault(SynapError):
    """A refusal for the caller: `row` is the row of the table, `words` fill the gaps of its texts."""

    def __init__(self, name: str, /, **words: object) -> None:
        self.row = BY_NAME[name]
        self.words: dict[str, object] = {"kind": "field"} | words if name == "MISSING_FIELD" else words
        super().__init__(self.json_text())

    def json_text(self) -> str:
        """Return the text for JSON surfaces."""
        text = self.row.text or self.row.resp.split(" ", 1)[1]
        return _fill(text, self.words).encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def resp_text(self, command: str = "") -> str:
        """Return the text for RESP, without the leading `-`."""
        return _fill(self.row.resp.replace("'%'", "'{%}'"), {**self.words, "%": command})


class BrokenNode(SynapError):
    """An internal error: a kernel failed, or a replay gave another outcome than the log records."""


def _fill(text: str, words: dict[str, object]) -> str:
    """Return a text with its gaps filled; what fills a gap has none itself."""
    return _GAP.sub(lambda gap: str(words.get(gap[1], gap[0])), text)
