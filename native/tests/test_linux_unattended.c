/* What is looked after although no client debugs it. */
#include "test_linux.h"

static void expect_attended(void) {
    linux_attend();
    CHECK(!linux_unattended());
    expect_empty();
}

TEST(nothing_is_unattended) {
    attach_to(3, "S");
    CHECK(!linux_unattended());
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(!linux_unattended());
}

TEST(process_that_dies_as_it_is_let_go_is_reaped) {
    attach_to(3, "S");
    kill_group(PID);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(linux_unattended());
    expect_attended();
    CHECK(!task(PID)->traced && !find_task(PID + 1) && !find_task(PID + 2));
}

static void kill_on_detach(long request, pid_t tid) {
    if (request == PTRACE_DETACH && tid == PID + 1) {
        before_ptrace = NULL;
        kill_group(PID);
    }
}

TEST(threads_that_die_before_they_are_let_go_are_reaped) {
    attach_to(3, "S");
    before_ptrace = kill_on_detach;
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(!task(PID)->traced);
    CHECK(linux_unattended());
    expect_attended();
    CHECK(!find_task(PID + 1) && !find_task(PID + 2));
}

TEST(child_that_is_followed_is_looked_after) {
    attach_to(1, "S");
    PUT(PID, CHILD, NOP NOP EXEC);
    plant(PID, CHILD + 2);
    PUT(PID, CHILD - 0x20, VFORK "S");
    task(PID)->registers.rip = CHILD - 0x20;
    configure(report_execs);
    linux_options options = tracer.options;
    options.report_vforks = 1;
    linux_configure(&options);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_VFORK, SIGTRAP);
    CHECK_EQ(linux_detach(PID + 1000, 0), 0);
    for (int i = 0; i < 8 && linux_unattended(); i++)
        linux_attend();
    CHECK(!linux_unattended());
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(task(PID + 1000)->state, TASK_RUNS);
}

TEST(end_that_came_while_attending_is_told_by_the_next_resume) {
    make_process(PID + 100, 1);
    attach_to(1, "S");
    CHECK_EQ(linux_attach(PID + 100), 1);
    kill_group(PID);
    linux_attend();
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    CHECK_EQ(task(PID + 100)->state, TASK_STOPS);
}
