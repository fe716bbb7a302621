/* SIGTRAPs that wait behind the stop of a PTRACE_INTERRUPT. */
#include "test_linux.h"

#define PLACE (START + 8)

static void run_to_the_trap(int threads) {
    attach_to(threads, "S");
    plant(PID, PLACE);
    run_on();
}

static void hit(pid_t tid) {
    task(tid)->registers.rip = PLACE;
    task(tid)->trap_pending = true;
    hit_trap_behind_interrupt(tid);
}

TEST(breakpoint_hit_behind_an_interrupt_is_reported) {
    run_to_the_trap(2);
    linux_interrupt(PID);
    hit(PID + 1);
    expect_only(PID + 1, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(task(PID + 1)->registers.rip, PLACE);
    linux_remove_trap(PID, PLACE);
    run_on();
    CHECK_EQ(linux_running(), 2);
}

static void hit_when_interrupted(long request, pid_t tid) {
    if (request != PTRACE_INTERRUPT || tid != PID + 1)
        return;
    before_ptrace = NULL;
    hit(tid);
}

TEST(breakpoint_hit_behind_the_interrupt_of_a_detach_does_no_harm) {
    run_to_the_trap(2);
    before_ptrace = hit_when_interrupted;
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(task(PID + 1)->registers.rip, PLACE);
    CHECK_EQ(task(PID + 1)->pending_count, 0);
    CHECK_EQ(delivered(PID + 1, SIGTRAP), 0);
    expect_empty();
}

TEST(breakpoint_hit_behind_an_interrupt_with_many_signals_queued) {
    run_to_the_trap(2);
    linux_interrupt(PID);
    for (int i = 0; i < 12; i++)
        send_signal(PID + 1, SIGRTMIN, i);
    hit(PID + 1);
    task(PID + 1)->pending[12] = task(PID + 1)->pending[0]; /* the kernel appends it, and takes it first all the same */
    task(PID + 1)->pending[0] = task(PID + 1)->pending[1];
    task(PID + 1)->mask = 1ull << (SIGRTMIN - 1);
    expect_only(PID + 1, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(task(PID + 1)->pending_count, 12);
}

TEST(killed_with_a_trap_behind_an_interrupt) {
    run_to_the_trap(2);
    linux_interrupt(PID);
    hit(PID + 1);
    fail_at = ptrace_calls + 2; /* one of the two looks whether a trap is pending */
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

TEST(step_held_up_by_a_system_call_leaves_nothing_behind) {
    attach_to(1, BLOCK "S");
    resume(PID, LINUX_STEP, 0);
    expect_nothing();
    CHECK_EQ(task(PID)->state, TASK_BLOCKS);
    interrupt();
    CHECK_EQ(task(PID)->pending_count, 0);
    CHECK_EQ(task(PID)->registers.rip, START);
    linux_detach(PID, 0);
    CHECK_EQ(delivered(PID, SIGTRAP), 0);
    expect_empty();
}
