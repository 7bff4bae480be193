"""Many small cases in one test: pytest itself takes 3 ms for a test, more than such a case."""

from collections.abc import Callable, Iterable
from typing import TypeVar

CaseT = TypeVar("CaseT")


def check_all(check: Callable[[CaseT], None], cases: Iterable[CaseT], name: Callable[[CaseT], str] = str) -> None:
    """Check each case, and fail at the end with every case that failed, by its name."""
    failed: list[Exception] = []
    count = 0
    for case in cases:
        count += 1
        try:
            check(case)
        except Exception as error:
            error.add_note(f"The case: {name(case)}")
            failed.append(error)
    assert count, "no cases"
    if failed:
        raise ExceptionGroup(f"{len(failed)} of {count} cases have failed", failed)
