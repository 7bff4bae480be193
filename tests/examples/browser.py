"""A Chromium without a window, spoken to over its own debugging protocol (JSON over a WebSocket).

    with Browser(directory) as browser:
        page = browser.open("http://127.0.0.1:8000/")
        page.run("document.title")         the value of an expression; waits for a promise
        page.until("ready === true")       runs it until it is true
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.server.clients import alive, eventually

NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-default-browser-check", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--remote-debugging-port=0",
)  # fmt: skip


class Browser:
    """One browser with a profile of its own, and what it has open."""

    def __init__(self, directory: Path) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        assert program, f"no browser found ({', '.join(NAMES)}); on Debian: apt-get install chromium"
        self._open = ExitStack()
        profile = directory / "profile"
        self.output = directory / "browser.output"
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                env=os.environ | {"HOME": str(directory)},
            )  # fmt: skip
        try:
            active = profile / "DevToolsActivePort"
            lines = eventually(lambda: active.exists() and active.read_text().splitlines()[1:2] and active, 40)
            port, path = lines.read_text().splitlines()
            opened = connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
            self._socket: ClientConnection = self._open.enter_context(opened)
        except BaseException:
            self.close()
            raise
        self._ids = itertools.count(1)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the processes that it has started."""
        self._open.close()
        group = self._process.pid
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(group, signal_)
                self._process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        assert not alive(group)

    def ask(self, method: str, session: str = "", **parameters: Any) -> Any:
        """The result of one call of the protocol; events are passed over."""
        number = next(self._ids)
        frame = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._socket.send(json.dumps(frame))
        while True:
            said = json.loads(self._socket.recv(timeout=30))
            if said.get("id") == number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]

    def open(self, address: str) -> "Page":
        """A tab."""
        target = self.ask("Target.createTarget", url=address)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page


class Page:
    """One tab."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        reply = self._browser.ask(
            "Runtime.evaluate", self._session, expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in reply, f"{expression}: {reply['exceptionDetails']}"
        return reply["result"].get("value")

    def until(self, expression: str, seconds: float = 20.0) -> None:
        """Wait until it is true."""
        try:
            eventually(lambda: self.run(expression), seconds, 0.05)
        except AssertionError:
            shown = self.run("document.body && document.body.innerText")
            raise AssertionError(f"never true: {expression}\nthe page shows:\n{shown}") from None

    def close(self) -> None:
        self._browser.ask("Target.closeTarget", targetId=self._target)
