"""Log lines on standard error: one JSON object a line, or lines for people (`logging.format`)."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from synap.settings import Settings

TRACE = 5
LEVELS = {"trace": TRACE, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The words of `logging.level`. `trace` adds what libraries say at levels below debug."""

_WORDS = {TRACE: "trace", logging.WARNING: "warn", logging.CRITICAL: "error"}


class JsonLines(logging.Formatter):
    """`{"time", "level", "logger", "message"}`, and `error` with the trace where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _WORDS.get(record.levelno, record.levelname.lower()),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def begin(settings: Settings, stream: TextIO | None = None) -> None:
    """Send the log of this process to `stream` (standard error if none), as the settings say."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    pretty = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JsonLines() if settings.text("logging.format") == "json" else pretty)
    logging.basicConfig(handlers=[handler], level=LEVELS[settings.text("logging.level")])
