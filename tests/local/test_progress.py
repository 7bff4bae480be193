"""What a cold start shows: a bar on a terminal, a line for each step elsewhere."""

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synap.io.compile import Progress, Shown

STEPS = (Progress(0, 3, ""), Progress(1, 3, "synap.store.lane:lane"), Progress(3, 3, "synap.store.bulk:find_many"))

SCRIPT = """
import sys
from synap.io.compile import Progress, Shown
shown = Shown()
for done, total, name in ((0, 3, ""), (1, 3, "synap.store.lane:lane"), (2, 3, "synap.store.bulk:find_many")):
    shown(Progress(done, total, name))
shown.close()
shown(Progress(3, 3, "too late"))
shown.close()
"""


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Shown()
    for step in STEPS:
        shown(step)
    shown.close()
    told = capsys.readouterr()
    assert told.err == "compiling kernels 0/3\ncompiling kernels 1/3 lane:lane\ncompiling kernels 3/3 bulk:find_many\n"
    assert told.out == ""


def test_lines_go_where_they_are_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    Shown(said.append)(STEPS[1])
    assert said == ["compiling kernels 1/3 lane:lane"] and capsys.readouterr().err == ""


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    near, far = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                piece = os.read(near, 65536)
            except OSError:  # the far side is closed: how Linux tells
                return
            if not piece:
                return
            seen.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    environment = dict(os.environ, TERM="xterm", COLUMNS="100")
    done = subprocess.run([sys.executable, "-c", SCRIPT], stderr=far, stdout=subprocess.PIPE, env=environment)
    os.close(far)
    reader.join(10)
    os.close(near)
    text = b"".join(seen).decode()
    assert done.returncode == 0 and done.stdout == b""
    assert "compiling kernels" in text and "2/3" in text and "bulk:find_many" in text
    assert "too late" not in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0, "the cursor is shown again"


def test_the_library_for_the_bar_is_loaded_for_a_bar_alone() -> None:
    script = SCRIPT + "assert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, stderr=subprocess.DEVNULL)
