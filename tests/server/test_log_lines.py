"""Log lines: one form for everybody's, and no secrets in any."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from synap.io.process.logging_setup import formatter
from synap.io.process.redaction import without_secrets


@pytest.fixture(params=["json", "pretty"])
def form(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def said(form: str) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter(form))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        structlog.reset_defaults()


def test_one_form_for_every_logger(said: io.StringIO, form: str) -> None:
    logging.getLogger("synap").warning("%d left", 3, extra={"seq": 7})
    logging.getLogger("some.package").info("grün")
    structlog.get_logger("synap").error("gone", name="k")
    logging.getLogger("synap").debug("not asked for")
    lines = said.getvalue().splitlines()
    assert len(lines) == 3
    if form == "json":
        first, second, third = map(json.loads, lines)
        assert list(first) == ["time", "level", "logger", "message", "seq"] and first["time"].endswith("+00:00")
        assert (first["level"], first["logger"], first["message"], first["seq"]) == ("warn", "synap", "3 left", 7)
        assert (second["level"], second["logger"], second["message"]) == ("info", "some.package", "grün")
        assert (third["level"], third["message"], third["name"]) == ("error", "gone", "k")
    else:
        assert "warn" in lines[0] and "3 left" in lines[0] and "seq=7" in lines[0]
        assert "grün" in lines[1] and "some.package" in lines[1] and "name=k" in lines[2]


def test_a_trace_stays_in_its_line(said: io.StringIO, form: str) -> None:
    try:
        raise ValueError("the password=hunter2 is wrong")
    except ValueError as error:
        logging.getLogger("asyncio").error("failed", exc_info=error)
    text = said.getvalue()
    assert "ValueError" in text and "Traceback" in text and "hunter2" not in text
    if form == "json":
        assert text.count("\n") == 1 and json.loads(text)["error"].startswith("Traceback")


def test_no_secret_is_logged(said: io.StringIO) -> None:
    log = logging.getLogger("synap")
    log.info("CONFIG SET requirepass %s", "hunter2")
    log.info("refused", extra={"password": "hunter2", "request": {"headers": {"Authorization": "hunter2"}}})
    structlog.get_logger("synap").info("refused", api_key="hunter2", words=[b"AUTH hunter2"])
    text = said.getvalue()
    assert "hunter2" not in text and text.count("***") == 5


@pytest.mark.parametrize(("text", "shown"), [
    ("Authorization: Bearer abc.def-1", "Authorization: ***"),
    ("'authorization': 'Basic YWJjZGVm'", "'authorization': ***"),
    ("sent Bearer abc.def-1 to it", "sent Bearer *** to it"),
    ('{"api_key": "a b", "key": "k"}', '{"api_key": ***, "key": "k"}'),
    ("token=abc&key=k", "token=***&key=k"),
    ("CONFIG SET requirepass abc maxmemory 1gb", "CONFIG SET requirepass *** maxmemory 1gb"),
    ("['CONFIG', 'SET', 'requirepass', 'abc']", "['CONFIG', 'SET', 'requirepass', ***]"),
    ("HELLO 3 AUTH user abc SETNAME me", "HELLO 3 AUTH *** SETNAME me"),
    ("AUTH abc", "AUTH ***"),
    ("from redis://me:abc@host:6379/0", "from redis://me:***@host:6379/0"),
    ("SYNAP_HTTP_TOKEN=abc", "SYNAP_HTTP_TOKEN=***"),
    ("ready: http://127.0.0.1:15500, RESP on port 6379", "ready: http://127.0.0.1:15500, RESP on port 6379"),
    ("key user:1 of 3 keys, author bob", "key user:1 of 3 keys, author bob"),
])  # fmt: skip
def test_what_is_struck_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_rich_is_not_loaded_for_the_log() -> None:
    code = "import sys, synap.io.process.logging_setup as l; l.formatter('json'); sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
