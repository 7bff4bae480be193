"""What a cold start shows: a bar on a terminal, a line now and then elsewhere."""

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synap.io.node.jit_warmup import Progress, ProgressBar, time_left

STEPS = (
    Progress(0, 3, ""), Progress(1, 3, "strings"),
    Progress(3, 3, "sets"),
)  # fmt: skip

SCRIPT = """
import sys
from synap.io.node.jit_warmup import Progress, ProgressBar
shown = ProgressBar()
for done, total, name in ((0, 3, ""), (1, 3, "strings"), (2, 3, "sets")):
    shown(Progress(done, total, name))
shown.close()
shown(Progress(3, 3, "too late"))
shown.close()
"""


def test_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    shown = ProgressBar()
    for step in STEPS:
        shown(step)
    shown.close()
    told = capsys.readouterr()
    assert told.err == "Preparing Synap for this machine, once: 0 %\n"
    assert told.out == ""


def test_lines_go_where_they_are_wanted_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    now = 100.0
    shown = ProgressBar(said.append, lambda: now)
    for done in range(42):  # a step a second and 0.5 more
        shown(Progress(done, 41, "strings" if done else ""))
        now += 1.5
    words = "Preparing Synap for this machine, once: "
    assert said == [words + "0 %", words + "17 %, strings, about 50 s left", words + "34 %, strings, about 40 s left",
                    words + "51 %, strings, about 30 s left", words + "68 %, strings, about 20 s left",
                    words + "85 %, strings, about 9 s left"]  # fmt: skip
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("done", "total", "seconds", "text"), [
    (0, 41, 5.0, ""), (41, 41, 60.0, ""), (12, 41, 16.6, "about 40 s left"), (1, 41, 5.0, "about 200 s left"),
    (40, 41, 40.0, "about 1 s left"), (40, 41, 0.1, "about 1 s left"), (1, 2, 11.0, "about 10 s left"),
])  # fmt: skip
def test_time_left(done: int, total: int, seconds: float, text: str) -> None:
    assert time_left(done, total, seconds) == text


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
    environment = dict(os.environ, TERM="xterm", COLUMNS="120")
    done = subprocess.run([sys.executable, "-c", SCRIPT], stderr=far, stdout=subprocess.PIPE, env=environment)
    os.close(far)
    reader.join(10)
    os.close(near)
    text = b"".join(seen).decode()
    assert done.returncode == 0 and done.stdout == b""
    assert "Preparing Synap for this machine, once" in text and "67 %" in text and "about 1 s left" in text
    assert "sets" in text, "people see what is compiled now"
    assert "too late" not in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0, "the cursor is shown again"


def test_the_library_for_the_bar_is_loaded_for_a_bar_alone() -> None:
    script = SCRIPT + "assert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, stderr=subprocess.DEVNULL)
