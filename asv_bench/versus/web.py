"""Is Synap's HTTP as fast as a C gateway before Redis, and what does one POST of 100 commands gain? (P6, P7)

    python asv_bench/versus/web.py --quick

P6: `wrk -t1 -c50` asks GET /kv/get/KEY and POST /kv/set over 1,000 keys, against webdis + redis-server
(both on the server core; left out if webdis is not installed) and against uvicorn + httptools
answering a constant. P7: the same with 100 commands in one POST to /api/v1/command, in commands per
second, against Synap's own P6. (Not called http.py: a script's folder comes first on the import path,
and the standard library has an `http` of its own.)
"""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from client import HOST
from harness import alternate, arguments, candidate, parse
from nodes import Node, Redis, Uvicorn, Webdis, run_client, tool
from rows import Report

KEYS = 1000
BATCH = 100
Request = tuple[str, str, str]
"""Method, path, body."""


def lua(requests: Sequence[Request]) -> str:
    """A wrk script that formats all requests once and sends them in turn."""
    made = ",\n".join(f"  {{{json.dumps(method)}, {json.dumps(path)}, [==[{body}]==]}}"
                      for method, path, body in requests)
    return f"""local plan = {{\n{made}\n}}
local ready, turn = {{}}, 0
init = function()
  for i, each in ipairs(plan) do
    local body = each[3] ~= "" and each[3] or nil
    local headers = body and {{["Content-Type"] = "application/json"}} or {{}}
    ready[i] = wrk.format(each[1], each[2], headers, body)
  end
end
request = function()
  turn = turn % #ready + 1
  return ready[turn]
end
"""


def wrk(node: Node, requests: Sequence[Request], seconds: int) -> dict[str, float]:
    """Requests per second and server CPU; an answer other than 2xx is a failure of the run."""
    method, path, body = requests[0]
    status, answer = node.web(method, path, body or None)
    if status != 200:
        raise RuntimeError(f"{node.name}: {method} {path} answered {status}: {answer[:200]!r}")
    script = Path(node.directory) / "plan.lua"
    script.write_text(lua(requests))
    before = node.cpu_seconds()
    text = run_client([tool("wrk"), "-t1", "-c50", f"-d{seconds}s", "--latency", "-s", str(script),
                       f"http://{HOST}:{node.http_port}"])
    used = node.cpu_seconds() - before
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if refused or "Socket errors" in text:
        raise RuntimeError(f"{node.name}: {text}")
    rate, total = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
    assert rate and total
    return {"rate": float(rate[1]), "cpu_us": used / int(total[1]) * 1e6}


def plans(node: Node) -> dict[str, list[Request]]:
    """The same question in the words of each server."""
    names = [f"key:{i:04d}" for i in range(KEYS)]
    if isinstance(node, Webdis):
        return {"GET": [("GET", f"/GET/{name}", "") for name in names],
                "SET": [("POST", "/", f"SET/{name}/value-of-16-bytes") for name in names]}
    return {"GET": [("GET", f"/kv/get/{name}", "") for name in names],
            "SET": [("POST", "/kv/set", json.dumps({"key": name, "value": "value-of-16-bytes"}))
                    for name in names]}


def envelope(command: str, at: int) -> dict[str, object]:
    payload = {"key": f"key:{at:04d}"} | ({"value": "value-of-16-bytes"} if command == "kv.set" else {})
    return {"command": command, "request_id": f"r-{at}", "payload": payload}


def batches(command: str) -> list[Request]:
    return [("POST", "/api/v1/command", json.dumps(
        {"type": "batch", "commands": [envelope(command, i) for i in range(at, at + BATCH)]}))
        for at in range(0, KEYS, BATCH)]


def fill(node: Node) -> None:
    method, path, _ = plans(node)["SET"][0]
    for i in range(KEYS):
        name = f"key:{i:04d}"
        if isinstance(node, Webdis):
            node.web("GET", f"/SET/{name}/value-of-16-bytes")
        else:
            node.web(method, path, {"key": name, "value": "value-of-16-bytes"})


def single(report: Report, nodes: list[Node], runs: int, seconds: int) -> dict[str, float]:
    """P6; Synap's own median rates, for P7."""
    own = {}
    for name, what in (("GET", "GET /kv/get/KEY"), ("SET", "POST /kv/set")):
        found: dict[str, list[dict[str, float]]] = {node.name: [] for node in nodes}

        def measure(node: Node, name: str = name, found: dict[str, list[dict[str, float]]] = found,
                    ) -> dict[str, float]:
            figures = wrk(node, plans(node)[name], seconds)
            found[node.name].append(figures)
            return figures

        alternate(nodes, runs, measure, {})
        for other in [node.name for node in nodes[1:]]:
            rate = report.row("P6", what, "requests/s", peer=other, floor=0.6, goal=1.0)
            cpu = report.row("P6", f"{what}: server CPU", "us/request", peer=other, more_is_better=False)
            for side in ("synap", other):
                for figures in found[side][1:]:
                    rate.add(side, figures["rate"])
                    cpu.add(side, figures["cpu_us"])
        own[name] = rate.median("synap") or 0.0
    return own


def batched(report: Report, node: Node, runs: int, seconds: int, own: dict[str, float]) -> None:
    for name, command in (("GET", "kv.get"), ("SET", "kv.set")):
        row = report.row("P7", f"{command}, {BATCH} in one POST", "commands/s", peer="own P6", floor=10.0,
                         goal=25.0)
        cpu = report.row("P7", f"{command}, {BATCH} in one POST: server CPU", "us/command", peer="own P6",
                         more_is_better=False)
        plan = batches(command)
        status, answer = node.web(*plan[0])
        try:
            complete = status == 200 and len(json.loads(answer)["responses"]) == BATCH
        except (ValueError, KeyError, TypeError):
            complete = False
        if not complete:
            report.note(f"{command}: a batch was not answered with {BATCH} responses: {answer[:120]!r}")
            continue
        row.add("own P6", own[name])
        for turn in range(runs + 1):
            figures = wrk(node, plan, seconds)
            if turn:
                row.add("synap", figures["rate"] * BATCH)
                cpu.add("synap", figures["cpu_us"] / BATCH)


def main() -> None:
    options = parse(arguments(__doc__))
    seconds = 2 if options.quick else 8
    with Report("web", __doc__, options) as report:
        ours: Node = candidate(options) if options.candidate == "synap" else Uvicorn(options.root)
        ours.name = "synap"
        nodes = [ours, Uvicorn(options.root)]
        backend = Redis(options.root)
        if shutil.which("webdis"):
            nodes.insert(1, Webdis(options.root, backend))
        else:
            report.note("webdis is not installed (Debian: apt-get install webdis)")
        try:
            backend.start()
            for node in nodes:
                node.start()
                if not isinstance(node, Uvicorn):
                    fill(node)
            own = single(report, nodes, options.runs, seconds)
            with ours.alone(nodes):
                batched(report, ours, options.runs, seconds, own)
        finally:
            for node in [*nodes, backend]:
                node.remove()


if __name__ == "__main__":
    main()
