"""The queue of stops that the client has not been told of."""

from __future__ import annotations

from pydbgserver.session.stops import StopQueue
from pydbgserver.target.api import ResumeAction, ResumeKind
from pydbgserver.target.events import BreakpointHit, Interrupted, ProcessExited, SignalStop, StepDone, StopEvent

CONTINUE_ALL = (ResumeAction(ResumeKind.CONTINUE),)
FIRST, SECOND, THIRD = BreakpointHit(1, 1, 16), BreakpointHit(1, 2, 16), SignalStop(1, 3, 11)


def yes(event: StopEvent) -> bool:
    return True


def queue(*others: StopEvent, all_at_once: bool = False) -> StopQueue:
    stops = StopQueue()
    stops.arrive(others, all_at_once=all_at_once)
    stops.report(FIRST)
    return stops


def test_one_event_at_a_time_in_order() -> None:
    stops = queue(SECOND, THIRD)
    assert stops.next_waiting(CONTINUE_ALL, yes) is SECOND
    assert stops.next_waiting(CONTINUE_ALL, yes) is THIRD
    assert stops.next_waiting(CONTINUE_ALL, yes) is None


def test_all_at_once_for_a_client_that_is_shown_every_thread() -> None:
    stops = queue(SECOND, THIRD, ProcessExited(7, exit_code=0), all_at_once=True)
    assert stops.reasons == {1: FIRST, 2: SECOND, 3: THIRD}
    assert stops.waiting == [ProcessExited(7, exit_code=0)]


def test_an_event_waits_until_its_thread_is_resumed() -> None:
    stops = queue(SECOND)
    step_first = (ResumeAction(ResumeKind.STEP, 1, 1),)
    stop_second = (ResumeAction(ResumeKind.STOP, 1, 2), *CONTINUE_ALL)
    assert stops.next_waiting(step_first, yes) is None
    assert stops.next_waiting(stop_second, yes) is None
    assert stops.next_waiting((*step_first, *CONTINUE_ALL), yes) is SECOND


def test_what_is_no_longer_true_is_dropped_and_the_next_one_tried() -> None:
    stops = queue(SECOND, THIRD)
    assert stops.next_waiting(CONTINUE_ALL, lambda event: event is not SECOND) is THIRD
    assert stops.waiting == []


def test_late_steps_and_interrupts_are_never_reported() -> None:
    stops = queue(StepDone(1, 2), Interrupted(1, 3))
    stops.keep([StepDone(1, 2), THIRD])
    assert stops.waiting == [THIRD]


def test_a_signal_of_a_resume_that_did_not_happen_is_delivered_by_the_one_that_does() -> None:
    stops = queue(SECOND)
    with_signal = (ResumeAction(ResumeKind.CONTINUE, 1, 1, 10), *CONTINUE_ALL)
    assert stops.next_waiting(with_signal, yes) is SECOND
    first, *rest = stops.resumed(CONTINUE_ALL)
    assert (first.tid, first.signal, first.kind) == (1, 10, ResumeKind.CONTINUE)
    assert tuple(rest) == CONTINUE_ALL
    assert stops.resumed(CONTINUE_ALL) is CONTINUE_ALL


def test_an_owed_signal_gives_way_to_one_that_the_client_chooses_later() -> None:
    stops = queue(SECOND)
    stops.next_waiting((ResumeAction(ResumeKind.CONTINUE, 1, 1, 10), *CONTINUE_ALL), yes)
    chosen = (ResumeAction(ResumeKind.CONTINUE, 1, 1, 12),)
    assert tuple(stops.resumed(chosen)) == chosen


def test_a_process_that_is_gone_is_forgotten() -> None:
    stops = queue(SECOND, SignalStop(2, 20, 11))
    stops.forget(1)
    assert stops.last is None
    assert stops.reasons == {}
    assert stops.waiting == [SignalStop(2, 20, 11)]
