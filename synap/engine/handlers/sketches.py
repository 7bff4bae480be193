"""Handlers that look into HyperLogLogs: PFDEBUG and PFSELFTEST."""

from collections.abc import Callable
from typing import Any

import numpy as np

from synap.call import Value
from synap.derive.outcomes import refused
from synap.engine.callers import Caller
from synap.engine.engine import Engine, Handler
from synap.engine.inner_calls import perform
from synap.faults import Fault
from synap.kernels.hyperloglog import COUNTS
from synap.store.calls import sketches
from synap.store.kinds.strings.hyperloglog import ENCODING, HEAD, SPARSE

SELFTEST_SIZES = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
SELFTEST_ERROR = 5 * 1.04 / 128  # five standard errors


def registers_of(text: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the registers, a byte each, of a sketch in Redis' format. Raise Fault if it is none."""
    work = np.zeros(sketches.REGISTERS + len(text), np.uint8)
    work[sketches.REGISTERS :] = np.frombuffer(text, np.uint8)
    refusal = sketches.read(work, len(text))
    if refusal:
        raise Fault(refused(refusal).name)
    return work[: sketches.REGISTERS]


def decoded(text: bytes) -> bytes:
    """Return the opcodes of sparse registers as Redis spells them."""
    told, at = [], HEAD
    while at < len(text):
        octet = text[at]
        if octet & 0x80:
            told.append(b"v:%d,%d" % ((octet >> 2 & 31) + 1, (octet & 3) + 1))
        elif octet & 0x40:
            at += 1
            told.append(b"Z:%d" % (((octet & 63) << 8 | text[at]) + 1))
        else:
            told.append(b"z:%d" % ((octet & 63) + 1))
        at += 1
    return b" ".join(told)


def pfdebug(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return what the subcommand asks of a sketch; TODENSE changes its form."""
    text = perform(engine, caller, "kv.get", {"key": args["key"]}, now)
    if text is None:
        raise Fault("SKETCH_MISSING")
    registers = registers_of(text)
    name = args["subcommand"].decode("utf-8", "replace")
    answers: dict[str, Callable[[], Any]] = {
        "getreg": registers.tolist,
        "encoding": lambda: "sparse" if text[ENCODING] == SPARSE else "dense",
        "todense": lambda: perform(engine, caller, "hyperloglog.todense", {"key": args["key"]}, now),
        "decode": lambda: decoded(text),
    }
    answer = answers.get(name.lower())
    if answer is None:
        raise Fault("BAD_PFDEBUG", name=name)
    if name.lower() == "decode" and text[ENCODING] != SPARSE:
        raise Fault("SKETCH_NOT_SPARSE")
    return answer()


def pfselftest(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return OK if registers survive their dense form and estimates are near the truth, else raise Fault."""
    for size in SELFTEST_SIZES:
        work = np.zeros(sketches.SIZE, np.uint8)
        sketches.add_words(work, np.arange(size) + now)
        found = int(sketches.estimate(work, np.zeros(COUNTS, np.int64)))
        sketches.write(work)
        again = registers_of(work[sketches.REGISTERS :].tobytes())
        if abs(found - size) > max(1, SELFTEST_ERROR * size) or (again != work[: sketches.REGISTERS]).any():
            raise Fault("INTERNAL_ERROR", what=f"{found} elements were counted where {size} were added")
    return "OK"


HANDLERS: dict[str, Handler] = {"pfdebug": pfdebug, "pfselftest": pfselftest}
