"""The examples, run as their docstrings say, against a server of their own; what they print is read."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.examples.browser import Browser, Page
from tests.server.clients import Server

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def run(name: str, server: str, *options: str) -> tuple[int, str, str]:
    """(exit code, what it printed, its errors) of an example."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), server, *options],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.http_port}"


def test_every_example_is_here() -> None:
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py")}
    assert found == {
        "task_queue.py", "event_broadcast.py", "pubsub_pattern.py", "chat/chat.py", "exactly_once.py", "outbox.py",
        "event_pipeline.py", "workers_pool.py",
    }  # fmt: skip


def test_tasks_are_done_once_and_one_is_given_up(node: Server) -> None:
    for _ in range(2):  # what the first run leaves does not disturb the second
        code, said, errors = run("task_queue.py", address(node), "--tasks", "20", "--workers", "3")
        assert code == 0, errors
        done = [int(number) for number in re.findall(r"picture (\d+) done", said)]
        assert sorted(done) == [number for number in range(20) if number != 13]
        retried = re.findall(r"picture (\d+) cannot be read, attempt (\d)", said)
        assert sorted(retried) == sorted([*((str(n), "1") for n in (0, 5, 10, 15)), *(("13", n) for n in "1234")])
        assert 'given up: {"picture": 13}' in said
        assert said.splitlines()[-1] == "published 20, acked 19, nacked 8, dead_lettered 1"


def test_every_subscriber_of_a_room_sees_everything(node: Server) -> None:
    for _ in range(2):
        code, said, errors = run("event_broadcast.py", address(node), "--events", "30")
        assert code == 0, said + errors
        for name in ("live", "poller", "late"):
            assert f"{name} saw 30 events, 0 to 29" in said.splitlines()
            assert [int(n) for n in re.findall(rf"^ *{name}: (\d+) service", said, re.MULTILINE)] == list(range(30))
        assert "half saw 15 events, 15 to 29" in said.splitlines()


def test_a_message_goes_to_whose_pattern_it_meets(node: Server) -> None:
    code, said, errors = run("pubsub_pattern.py", address(node))
    assert code == 0, errors
    lines = said.splitlines()
    email, sms, digest = "notifications.email", "notifications.sms", "notifications.email.digest"
    door, berlin, paris = "alarms.berlin.door", "alarms.berlin", "alarms.paris.window"
    for topic, count in {email: 3, sms: 2, digest: 1, door: 3, berlin: 3, paris: 2}.items():
        assert f"{topic} goes to {count} subscribers" in lines
    assert f"mailer heard 1: {email}" in lines
    assert f"phone heard 5: {email} {sms} {door} {berlin} {paris}" in lines
    assert f"auditor heard 6: {email} {sms} {digest} {door} {berlin} {paris}" in lines
    assert f"berlin heard 2: {door} {berlin}" in lines


@pytest.mark.parametrize("name", ["task_queue.py", "event_broadcast.py", "pubsub_pattern.py"])
def test_without_a_server_an_example_says_so(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, _, errors = run(name, f"http://127.0.0.1:{port}")
    assert code == 1 and "no answer from" in errors and "Traceback" not in errors


# ---- the chat, in a browser ----


@pytest.fixture
def pages() -> Iterator[str]:
    """The origin at which chat.py serves the page."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "chat" / "chat.py"), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.match(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=10)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path) as browser:
        yield browser


def enter(browser: Browser, pages: str, server: Server, name: str) -> Page:
    """A page in the room, connected."""
    page = browser.open(f"{pages}/?server={address(server)}&room=a%20%C3%A4&name={name}")
    page.until("document.getElementById('status').textContent === 'connected'")
    return page


def say(page: Page, text: str) -> None:
    """Type it and press the button."""
    page.run(f"document.getElementById('text').value = {text!r}; document.querySelector('button').click()")
    page.until("document.getElementById('text').value === ''")


def shows(page: Page, lines: list[str]) -> None:
    """Wait until the page shows these lines, and see that there are no others."""
    found = "[...document.querySelectorAll('#said li')].map(line => line.textContent)"
    page.until(f"{found}.length >= {len(lines)}")
    assert page.run(found) == lines


def test_two_pages_talk_and_a_third_comes_late(serve: Any, pages: str, browser: Browser) -> None:
    server = serve({"server.cors_origins": pages}).start()
    ann, bob = enter(browser, pages, server, "ann"), enter(browser, pages, server, "bob")
    said: list[str] = []
    for page, name, text in [
        (ann, "ann", "hello"), (bob, "bob", "hello ann"), (ann, "ann", "<b>no</b><script>alert(1)</script>"),
        (bob, "bob", "größe 你好"),
    ]:  # fmt: skip
        say(page, text)
        said.append(f"{name}: {text}")
        for other in (ann, bob):
            shows(other, said)
    assert ann.run("document.querySelectorAll('#said script').length") == 0
    cid = enter(browser, pages, server, "cid")
    shows(cid, said)  # what was said before it came

    server.restart()  # killed: what was said is on disk, and the pages go on where they were
    again = "document.getElementById('status').textContent === 'connected'"
    for page in (ann, bob, cid):
        page.until(again)
    say(cid, "still here")
    said.append("cid: still here")
    for page in (ann, bob, cid):
        shows(page, said)


NOTE_STATUS = """
    window.said = [];
    new MutationObserver(() => window.said.push(document.getElementById('status').textContent))
        .observe(document.getElementById('status'), {childList: true, characterData: true, subtree: true});
"""
"""Keeps every text of the page's status line."""


def test_a_page_of_an_origin_that_is_not_named_may_not_speak(serve: Any, pages: str, browser: Browser) -> None:
    server = serve({"server.cors_origins": "http://127.0.0.1:1"}).start()
    assert server.http("POST", "/stream/lobby")[0] == 200
    page = browser.open(f"{pages}/?server={address(server)}&room=lobby")
    wanted = f"synap serve --set server.cors_origins={pages}"
    page.until(f"document.getElementById('status').textContent.includes({wanted!r})")
    page.run(NOTE_STATUS)  # the page tries again and again to connect, and says so at once in the same place
    page.run("document.getElementById('text').value = 'x'; document.querySelector('button').click()")
    page.until("window.said.some(text => text.startsWith('not sent'))")
    assert server.http("GET", "/stream/lobby/stats")[1]["message_count"] == 0
    server.kill9()  # and once there is no server, the page says that
    page.until("document.getElementById('status').textContent.startsWith('no server answers')")
