"""The kernel of a recording: what it answers, and in which order."""

from __future__ import annotations

from pydbgserver.backends.linux.kernel_calls import Call
from pydbgserver.backends.linux.kernel_replay import KernelReplay, Numbered, is_question


def recorded(*calls: Call) -> KernelReplay:
    made = KernelReplay([Numbered(10 * number, call) for number, call in enumerate(calls, 1)])
    made.limit = 1000
    return made


def memory(address: int, result: int) -> Call:
    return Call("linux_read_memory", [71, address, 0, 8], result)


RESUME = Call("linux_resume", [[], 1], 1)
WAIT = Call("linux_wait", [0, 64, 300, 150], 1)


def asked(kernel: KernelReplay, call: Call) -> int | None:
    found = kernel._find(call.name, call.arguments)
    return None if found is None else found.result


def test_what_only_asks() -> None:
    assert is_question("linux_read_memory")
    assert is_question("read_file")
    assert not is_question("linux_resume")
    assert not is_question("linux_wait")
    assert not is_question("send_signal")


def test_the_same_question_has_its_answers_in_order_and_then_the_last_one() -> None:
    kernel = recorded(memory(1, 5), memory(1, 6), RESUME, memory(1, 7))
    assert [asked(kernel, memory(1, 0)) for _ in range(3)] == [5, 6, 6]
    assert asked(kernel, RESUME) == 1
    assert asked(kernel, memory(1, 0)) == 7


def test_questions_may_come_in_another_order_and_at_another_stop() -> None:
    kernel = recorded(memory(1, 5), memory(2, 6), RESUME, memory(3, 7))
    assert asked(kernel, memory(2, 0)) == 6
    assert asked(kernel, memory(1, 0)) == 5
    assert asked(kernel, memory(3, 0)) == 7
    assert asked(kernel, RESUME) == 1
    assert asked(kernel, memory(2, 0)) == 6
    assert kernel.deviation == ""


def test_a_question_that_was_never_asked() -> None:
    kernel = recorded(memory(1, 5))
    assert asked(kernel, memory(4, 0)) is None
    assert kernel.deviation == "linux_read_memory [71,4,0,8]"


def test_effects_have_to_come_in_order() -> None:
    trap = Call("linux_insert_trap", [71, 4096, "cc", 1, 1], 0)
    kernel = recorded(trap, RESUME)
    assert asked(kernel, RESUME) is None
    assert kernel.deviation.startswith("linux_resume")
    assert kernel.place == 'line 10: linux_insert_trap [71,4096,"cc",1,1]'


def test_a_stop_is_told_when_it_has_happened() -> None:
    kernel = recorded(RESUME, WAIT)
    kernel.limit = 15
    assert asked(kernel, RESUME) == 1
    assert not kernel.stop_is_next
    assert asked(kernel, Call("linux_wait", [0, 64, 0, 0], 0)) is None
    assert kernel.deviation == "", "the target runs still"
    kernel.limit = 30
    assert kernel.stop_is_next
    assert asked(kernel, Call("linux_wait", [0, 64, 0, 0], 0)) == 1
    assert kernel.place == "after the end of the recording"


def test_the_process_that_was_there_at_first() -> None:
    assert recorded(Call("linux_launch", [{}], 71)).started == (71, False)
    assert recorded(Call("linux_attach", [72], 3)).started == (72, True)
    assert recorded(RESUME).started is None
