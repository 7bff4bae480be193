"""The list of all modules with compiled code, in stages; what compiles and loads them; the addresses of doors.

A server whose kernels are not compiled yet is useful before all are. The first stage is the server itself with
strings; each further stage is one family of commands, with the doors of its kind. Calls of a family wait until its
stage is ready (`engine/diagnostics.py: holds`). Until then its door is one that answers "LOADING", in case that a call
does not wait.
"""

import importlib
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from synap.command import BATCHES, DIAGNOSTICS
from synap.compiler import jit
from synap.compiler.workers import Compilation
from synap.store.kinds.table import KINDS, NAMED
from synap.store.memory.layout import DOORS, KIND_DOORS, KIND_SORTS, ROOT_WORDS

FIRST = ("strings",)
"""Families that are ready with the server: most first calls are theirs."""

PACKAGE = __name__.rpartition(".")[0]
ENTRIES = (
    "lane.lane", "lane.resp", "calls.calls", "doors.absent", "memory.heap", "lane.transactions", "memory.frames",
    "memory.arena", "snapshot.dumps",
    *(["lane.epoll_batch"] if sys.platform == "linux" else []),
)  # fmt: skip
"""Modules of `synap.store` with border functions that every server needs; `epoll_batch` is made of calls of Linux."""

FACTS = ("upkeep.upkeep", "upkeep.victims", "snapshot.digests", "snapshot.key_dump", "keys.key_info", "keys.tally")
"""Modules with border functions for upkeep, digests and facts about keys: a first call needs none."""

ARRAYS = ("calls.bulk", "calls.arrays", "calls.sketches", "lane.json_batch")
"""Modules with border functions for whole batches of keys, elements or envelopes."""

CALLED_BACK = ("scripts.script_calls", "scripts.library_calls", "scripts.pattern_calls", "scripts.coroutine_calls")
"""Modules with what Lua calls back: they belong to the family `scripts`."""

FACTS_TITLE, BATCHES_TITLE, SCRIPTS = "diagnostics", "batches", "scripts"
STAGES_ASIDE = ((FACTS_TITLE, DIAGNOSTICS), (BATCHES_TITLE, BATCHES))
"""Stages of no family, and the numbers by which rows say that their calls need them."""
TITLES = {
    "rooms": "event streams", "topics": "partitioned topics", "memberships": "consumer groups",
    "retained": "retained messages", "substrings": "parts of strings", "renames": "copying and renaming",
}  # fmt: skip
"""What a stage is called, if other than its family."""


class Stage(NamedTuple):
    """Kernels that are ready together: what people call them, their modules, and the families whose calls need them."""

    title: str
    modules: tuple[str, ...]
    families: tuple[str, ...] = ()


def full(names: tuple[str, ...]) -> list[str]:
    """Return the full names of modules of this package."""
    return [f"{PACKAGE}.{name}" for name in names]


def stages(families: tuple[str, ...]) -> list[Stage]:
    """Return all stages, in the order in which they are compiled."""
    kinds = {kind.folder: f"{PACKAGE}.doors.{kind.door}" for kind in (*KINDS, *NAMED)}

    def doors(family: str) -> list[str]:
        more = [kinds[family]] if family in kinds else full(CALLED_BACK) if family == SCRIPTS else []
        return [f"{PACKAGE}.doors.{family}", *more]

    first, *more = [name for family in FIRST for name in doors(family)]
    found = [Stage("strings and the server", (first, *full(ENTRIES), *more), FIRST)]
    found += [Stage(FACTS_TITLE, tuple(full(FACTS)))]
    found += [Stage(TITLES.get(each, each), tuple(doors(each)), (each,)) for each in families if each not in FIRST]
    return [*found, Stage(BATCHES_TITLE, tuple(full(ARRAYS)))]


def imported(families: tuple[str, ...]) -> list[Stage]:
    """Import all modules with compiled code, which registers their functions, and return the stages."""
    planned = stages(families)
    for stage in planned:
        for name in stage.modules:
            importlib.import_module(name)
    return planned


def modules(families: tuple[str, ...]) -> list[str]:
    """Return the full name of every module with compiled code."""
    return [name for stage in stages(families) for name in stage.modules]


@dataclass
class Preparation:
    """The preparation of all kernels, stage by stage. `run` may be called in a thread beside its users."""

    families: tuple[str, ...]
    ready: list[Stage] = field(default_factory=list)  # stages whose kernels are loaded
    compiled: int = 0  # border functions and doors that the cache did not hold

    def run(self, workers: int, tell: Callable[[int, int, str], None], on_stage: Callable[[Stage], None]) -> None:
        """Compile what the cache does not hold, in `workers` processes, and load everything.

        `tell` is called with (steps done, steps in all, title of the stage), `on_stage` with each stage that is
        loaded, in order.
        """
        planned = imported(self.families)
        names = {stage.title: jit.registered_in(stage.modules) for stage in planned}
        wanted = {name: stage for stage in planned for name in names[stage.title]}
        order = list(wanted)
        lock = threading.Lock()
        left = {title: set(found) for title, found in names.items()}

        def load_ready() -> None:
            while len(self.ready) < len(planned) and not left[planned[len(self.ready)].title]:
                stage = planned[len(self.ready)]
                jit.load(names[stage.title])
                self.ready.append(stage)
                on_stage(stage)

        def compiled(name: str) -> None:
            with lock:
                left[wanted[name].title].discard(name)
                load_ready()

        missing = [name for name in jit.missing() if name in wanted]
        missing.sort(key=order.index)
        for title in left:
            left[title] &= set(missing)

        def step(done: int, total: int, name: str) -> None:
            tell(done, total, wanted[name].title if name else "")

        self.compiled = len(missing)
        if missing:
            with lock:
                load_ready()  # after an edit of one family, the others are in the cache
            Compilation(missing, modules(self.families), step, compiled).run(workers)
        else:
            jit.load()  # all of it before the first call of `on_stage`: no call needs to wait for a few ms
        with lock:
            load_ready()
        jit.load()


def prepare(families: tuple[str, ...], workers: int, tell: Callable[[int, int, str], None]) -> None:
    """Compile what the cache does not hold, in `workers` processes, then load everything; see `Preparation.run`."""
    Preparation(families).run(workers, tell, lambda stage: None)


def registers(codes: dict[int, str]) -> list[tuple[int, int]]:
    """Return (word, value) of what a heap knows of the kinds and of the doors that are loaded.

    `codes`: the family of each high byte of a code.
    """
    absent = _address("absent")
    found = [(DOORS + byte, _address(family) or absent) for byte, family in codes.items()]
    found += [(KIND_DOORS + kind.number, _address(kind.door)) for kind in (*KINDS, *NAMED)]
    found += [(ROOT_WORDS + kind.number, kind.head_words) for kind in NAMED]
    found += [(KIND_SORTS + kind.number, kind.sorts) for kind in KINDS]
    return found + [(ROOT_WORDS + kind.number, kind.root_words) for kind in KINDS]


def coming(codes: dict[int, str], ready: Iterable[Stage]) -> frozenset[int]:
    """Return the high bytes of the families that are not in the stages that are ready; with those of STAGES_ASIDE."""
    titles = {stage.title for stage in ready}
    families = {family for stage in ready for family in stage.families}
    found = {byte for byte, family in codes.items() if family not in families}
    found |= {number for title, number in STAGES_ASIDE if title not in titles}
    return frozenset(found)


def _address(door: str) -> int:
    return jit.address(f"{__name__.rpartition('.')[0]}.doors.{door}:{door}_door")
