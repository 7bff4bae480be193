"""Logging to standard error: one JSON object per line, or lines for people (`logging.format`).

structlog formats the lines. Records of the standard library's loggers, from this program, its libraries and asyncio,
pass the same steps: level, time, fields given as `extra`, traceback, then secrets are struck out and the line is
written. Loggers of structlog (`structlog.get_logger`) produce the same lines. Nothing is logged while a command is
carried out.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from synap.io.node.clock import wall_us
from synap.io.process.log_writer import Lines
from synap.io.process.redaction import without_secrets
from synap.settings import Settings

TRACE = 5
END_S = 2.0
LEVELS = {"trace": TRACE, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""The values of `logging.level`. `trace` adds records of libraries at levels below debug."""

_WORDS = {"warning": "warn", "critical": "error", "exception": "error", "level 5": "trace", "notset": "trace"}

Line = MutableMapping[str, Any]


def _structlog() -> ModuleType:
    """Import structlog without `rich`, which it loads for coloured tracebacks and which takes 2/3 of the import."""
    absent = "rich" not in sys.modules
    if absent:
        sys.modules["rich"] = None  # type: ignore[assignment]  # `import rich` raises ImportError meanwhile
    try:
        import structlog
        import structlog.dev
    finally:
        if absent:
            del sys.modules["rich"]
    return structlog


def _named(logger: Any, method: str, line: Line) -> Line:
    """Add the time, and replace the level by its name in the settings."""
    record = line.get("_record")
    created = record.created if record is not None else wall_us() / 1e6
    moment = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    level = str(line.get("level", method)).lower()
    ours = ("level", "message", "asctime")  # another handler may have left these in the record
    return {"timestamp": moment, "level": _WORDS.get(level, level), **{k: line[k] for k in line if k not in ours}}


def _struck(logger: Any, method: str, line: Line) -> Line:
    """Strike secrets out of all fields."""
    return {name: value if name.startswith("_") else without_secrets(value, name) for name, value in line.items()}


def _spelled(logger: Any, method: str, line: Line) -> Line:
    """Order the fields: `time`, `level`, `logger`, `message`, further fields, `error` with the traceback if any."""
    found = {"time": line.pop("timestamp"), "level": line.pop("level"), "logger": line.pop("logger", "synap"),
             "message": line.pop("event", "")}  # fmt: skip
    trace = line.pop("exception", None)
    return {**found, **line} if trace is None else {**found, **line, "error": trace}


def formatter(form: str, colors: bool = False) -> logging.Formatter:
    """Return a formatter for lines of the form `json` or `pretty`."""
    structlog = _structlog()
    steps: list[Any] = [
        structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), _named,
        structlog.processors.StackInfoRenderer(), structlog.processors.format_exc_info,
    ]  # fmt: skip
    last: list[Any] = [_struck, structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        last += [_spelled, structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)]
    else:
        last.append(structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level, structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(), _named, structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info, structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )  # fmt: skip
    made: logging.Formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=steps, processors=last)
    return made


def form_of(settings: Settings, terminal: bool) -> str:
    """Return the form of lines: `auto` means `pretty` on a terminal and `json` elsewhere."""
    form = settings.text("logging.format")
    return form if form != "auto" else "pretty" if terminal else "json"


def begin(settings: Settings) -> Lines:
    """Send this process's log to standard error as the settings say; return the handler."""
    stream = sys.stderr
    handler = Lines(stream.fileno())
    handler.setFormatter(formatter(form_of(settings, stream.isatty()), stream.isatty()))
    logging.basicConfig(handlers=[handler], level=LEVELS[settings.text("logging.level")])
    return handler


def set_level(level: str) -> bool:
    """Write lines of this level and above from now on, a value of `logging.level`; return True."""
    logging.getLogger().setLevel(LEVELS[level])
    return True


def dropped() -> int:
    """Return how many lines of this process were dropped because the reader did not take them."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, Lines))


def end(handler: Lines) -> None:
    """Write the lines that wait, for at most END_S: the reader may have stopped."""
    handler.close_within(END_S)
