"""Limits of the process (ulimit) on address space and files, and the error texts when there is too little space.

This module needs no compiled code, so a start that cannot succeed is refused before kernels are imported or compiled.
"""

from dataclasses import dataclass
from mmap import PAGESIZE

from synap.store.memory import layout, spaces

HEADROOM = 512 * layout.MIB
"""Bytes left to the process for allocations after the reservation: threads, connections, the arenas of malloc."""
PROGRAM = 640 * layout.MIB
"""Bytes that the interpreter, the libraries and the kernels take before the reservation."""
KB = 1024  # the unit of `ulimit`


@dataclass(frozen=True)
class Limit:
    """A limit of this process and how much of it is in use, in bytes. `command` is the shell command that sets it."""

    command: str
    bytes: int
    taken: int

    @property
    def left(self) -> int:
        return max(self.bytes - self.taken, 0)


def address_space_left() -> int | None:
    """Return how many bytes a reservation may take; None without a limit."""
    limit = limit_of_process()
    return None if limit is None else max(limit.left - HEADROOM, 0)


def fitting(memory_max: int) -> int:
    """Return `memory_max`, reduced to what the limits of this process allow, but at least the smallest arena."""
    limit = limit_of_process()
    if limit is None:
        return memory_max
    free = limit.left - HEADROOM - spaces.least_plan(0).total - layout.MIB  # 1 MiB for rounding up
    entry = 2 * layout.WORD  # bytes of a page's entry in the page table
    return min(memory_max, spaces.SMALLEST + max(free, 0) * layout.PAGE_BYTES // (layout.PAGE_BYTES + entry) // KB * KB)


def files_max() -> int:
    """Return how many files this process may open; -1 without a limit, or if the system knows none."""
    try:
        import resource
    except ImportError:  # Windows
        return -1
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return -1 if most == resource.RLIM_INFINITY else most


def limit_of_process() -> Limit | None:
    """Return the limit that leaves the least; None if there is no limit, or if the system knows none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    size, data = _taken()
    kinds = ((resource.RLIMIT_AS, "ulimit -v", size), (resource.RLIMIT_DATA, "ulimit -d", data))
    soft = [(resource.getrlimit(kind)[0], command, taken) for kind, command, taken in kinds]
    found = [Limit(command, most, taken) for most, command, taken in soft if most != resource.RLIM_INFINITY]
    return min(found, key=lambda limit: limit.left, default=None)


def _taken() -> tuple[int, int]:
    """Return this process's (address space, private data) in bytes; zeros if the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            words = file.read().split()
        return int(words[0]) * PAGESIZE, int(words[5]) * PAGESIZE
    except (OSError, IndexError, ValueError):
        return 0, 0


def check(memory_max: int) -> None:
    """Raise NoAddressSpace if the limits of this process are too low for `memory_max`, whatever else is allocated."""
    limit = limit_of_process()
    if limit is not None and spaces.least_plan(memory_max).total > limit.left:
        raise refusal(memory_max)


def refusal(memory_max: int) -> spaces.NoAddressSpace:
    """Return the error for a reservation that failed: the bytes needed, the limit found, and the remedy."""
    need = -(-spaces.least_plan(memory_max).total // KB)
    asked = f"{need} kB of address space for {memory_max >> 20} MB of data (kv_store.max_memory_mb)"
    limit = limit_of_process()
    if limit is not None and need * KB + HEADROOM > limit.left:
        others = -(-(HEADROOM + max(limit.taken, PROGRAM)) // KB)
        smaller = memory_max > spaces.SMALLEST and spaces.least_plan(0).total + others * KB <= limit.bytes
        return spaces.NoAddressSpace(
            f"wanted {asked} and {others} kB for the rest of the process, found a limit of {limit.bytes // KB} kB: "
            f"raise it ({limit.command} {need + others}){' or lower the setting' if smaller else ''}"
        )
    if _read("/proc/sys/vm/overcommit_memory").strip() == "2":
        return spaces.NoAddressSpace(
            f"wanted {asked}, found a system that reserves no more memory than it has "
            f"(vm.overcommit_memory is 2, CommitLimit "
            f"{_memory('CommitLimit')}, taken {_memory('Committed_AS')}): set it to 0 or 1"
        )
    return spaces.NoAddressSpace(f"wanted {asked}, but the system refused it: lower the setting")


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _memory(name: str) -> str:
    """Return the value of one line of /proc/meminfo."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    return "unknown"
