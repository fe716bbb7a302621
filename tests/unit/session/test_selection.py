"""What packets apply to, by what the client has named."""

from __future__ import annotations

import pytest

from pydbgserver.errors import NoSuchProcess, NoSuchThread
from pydbgserver.rsp.grammar import ALL, ANY, ThreadId
from pydbgserver.session.selection import Selection
from pydbgserver.testing.sim import SimBackend, SimProcess

FIRST, SECOND = 100, 200


def two_processes() -> tuple[SimBackend, Selection]:
    backend = SimBackend(SimProcess(FIRST, threads=2), SimProcess(SECOND, threads=2))
    return backend, Selection(backend)


def test_the_first_thread_of_the_first_process_is_selected() -> None:
    backend, selection = two_processes()
    assert selection.thread() == (backend.live[FIRST], FIRST)


def test_without_processes_nothing_is_selected_until_one_comes() -> None:
    backend = SimBackend()
    selection = Selection(backend)
    assert (selection.process, selection.tid) == (None, ANY)
    for ask in (selection.some_process, selection.thread, lambda: selection.find(ThreadId(None, ANY))):
        with pytest.raises(NoSuchProcess):
            ask()
    backend.live[SECOND] = SimProcess(SECOND)
    assert selection.thread() == (backend.live[SECOND], SECOND)


@pytest.mark.parametrize(
    ("pattern", "pid", "tid"),
    [
        (ThreadId(None, ANY), SECOND, SECOND + 1),
        (ThreadId(ALL, ALL), SECOND, SECOND + 1),
        (ThreadId(SECOND, ANY), SECOND, SECOND + 1),
        (ThreadId(FIRST, ALL), FIRST, FIRST),
        (ThreadId(None, FIRST + 1), FIRST, FIRST + 1),
        (ThreadId(SECOND, SECOND), SECOND, SECOND),
    ],
)
def test_patterns(pattern: ThreadId, pid: int, tid: int) -> None:
    backend, selection = two_processes()
    selection.select(backend.live[SECOND], SECOND + 1)
    assert selection.find(pattern) == (backend.live[pid], tid)
    assert selection.thread() == (backend.live[SECOND], SECOND + 1)


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        (ThreadId(300, ANY), NoSuchProcess),
        (ThreadId(300, FIRST), NoSuchProcess),
        (ThreadId(None, 300), NoSuchThread),
        (ThreadId(SECOND, FIRST), NoSuchThread),
    ],
)
def test_patterns_of_what_is_not_there(pattern: ThreadId, error: type[Exception]) -> None:
    with pytest.raises(error):
        two_processes()[1].find(pattern)


def test_a_thread_id_is_looked_for_in_all_of_several_processes() -> None:
    backend, selection = two_processes()
    assert selection.thread(SECOND + 1) == (backend.live[SECOND], SECOND + 1)
    with pytest.raises(NoSuchThread):
        selection.thread(300)


def test_when_the_selected_process_is_gone_another_one_is_selected() -> None:
    backend, selection = two_processes()
    del backend.live[SECOND]
    selection.drop(SECOND)
    assert selection.thread() == (backend.live[FIRST], FIRST)
    del backend.live[FIRST]
    selection.drop(FIRST)
    assert (selection.process, selection.tid) == (None, ANY)
