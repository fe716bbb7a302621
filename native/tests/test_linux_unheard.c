/* Fork children of which the client has not heard when they, or their parents, go. */
#include "test_linux.h"

#define YOUNG (PID + 1000)

static void report_both(linux_options *options) {
    options->report_forks = options->report_vforks = 1;
}

/* The fork is known to the tracer, but its stop is not complete: a thread does not stop yet. */
static void fork_and_hesitate(const char *fork) {
    configure(report_both);
    attach_to(2, "S");
    put_code(PID, START + 0x40, fork, CALL_SIZE);
    task(PID)->registers.rip = START + 0x40;
    RESUME_ALL();
    task(PID + 1)->slow = true;
    expect_nothing();
    CHECK(task(YOUNG)->traced);
    task(PID + 1)->slow = false;
}

TEST(fork_is_told_before_the_end_of_its_child) {
    fork_and_hesitate(FORK);
    kill_group(YOUNG);
    int count = wait_stop();
    CHECK_EQ(count, 2);
    CHECK_EQ(stops[0].kind, LINUX_STOP_FORK);
    CHECK_EQ(stops[0].value, YOUNG);
    CHECK_EQ(stops[1].kind, LINUX_STOP_KILLED);
    CHECK_EQ(stops[1].pid, YOUNG);
    run_on();
    CHECK_EQ(linux_running(), 2);
}

TEST(fork_is_told_before_the_end_of_its_child_one_at_a_time) {
    fork_and_hesitate(FORK);
    kill_group(YOUNG);
    int kinds[2] = {0}, seen = 0;
    for (int i = 0; i < 10 && seen < 2; i++)
        if (linux_wait(stops, 1, 0, 0) == 1)
            kinds[seen++] = stops[0].kind;
    CHECK_EQ(kinds[0], LINUX_STOP_FORK);
    CHECK_EQ(kinds[1], LINUX_STOP_KILLED);
}

static void lose_the_parent(const char *fork) {
    fork_and_hesitate(fork);
    kill_group(PID);
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    CHECK(!task(YOUNG)->traced);
    expect_empty();
}

TEST(fork_child_of_a_parent_that_dies_unheard_is_let_go) {
    lose_the_parent(FORK);
}

TEST(vfork_child_of_a_parent_that_dies_unheard_is_let_go) {
    lose_the_parent(VFORK);
}

TEST(fork_child_that_dies_with_its_parent_is_not_told_of) {
    fork_and_hesitate(FORK);
    kill_group(YOUNG);
    kill_group(PID);
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

TEST(fork_child_of_a_parent_that_is_let_go_unheard_is_let_go_too) {
    fork_and_hesitate(FORK);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(!task(YOUNG)->traced);
    expect_empty();
}

TEST(fork_child_of_a_parent_that_is_killed_unheard_is_let_go) {
    fork_and_hesitate(FORK);
    CHECK_EQ(linux_kill(PID), 0);
    CHECK(!task(YOUNG)->traced);
    expect_empty();
}

TEST(fork_child_of_a_thread_that_an_exec_takes_unheard_is_let_go) {
    fork_and_hesitate(FORK);
    PUT(PID + 1, START, EXEC);
    task(PID + 1)->registers.rip = START;
    task(PID + 1)->trap_pending = false; /* it was in execve before the interrupt came */
    expect_nothing();
    CHECK(!task(YOUNG)->traced);
    CHECK(!find_process(YOUNG));
    CHECK_EQ(linux_running(), 1);
}
