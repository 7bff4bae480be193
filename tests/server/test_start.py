"""The server starts in whatever environment it finds itself: options of the interpreter, odd variables."""

from pathlib import Path

import pytest

from tests.server.processes import Process, works


@pytest.mark.parametrize("options", [["-O"], ["-OO", "-I", "-B"], ["-X", "dev", "-W", "error"]], ids=" ".join)
def test_options_of_the_interpreter(tmp_path: Path, store: object, options: list[str]) -> None:
    server = Process(tmp_path, python=options)
    try:
        server.start()
        works(server)
        assert server.stop() == 0
    finally:
        server.end()
    assert "Traceback" not in server.said()
