/* Threads that come and go: clone, exit, exec, attach. */
#include "test_linux.h"

#include <sys/wait.h>

static void report_threads(linux_options *options) {
    options->report_threads = 1;
}

static void clone_one(bool child_first) {
    attach_to(1, CLONE "S");
    PUT(PID, CHILD, TRAP);
    youngest_first = child_first;
    RESUME_ALL();
    expect_only(PID + 1000, LINUX_STOP_SIGNAL, SIGTRAP);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 2);
    CHECK(tids[0] == PID && tids[1] == PID + 1000);
    CHECK_EQ(task(PID)->state, TASK_STOPS);
}

TEST(clone_child_reports_after_its_parent) {
    clone_one(false);
}

TEST(clone_child_reports_before_its_parent) {
    clone_one(true);
}

static void announce(bool child_first) {
    configure(report_threads);
    attach_to(1, CLONE "S");
    youngest_first = child_first;
    RESUME_ALL();
    expect_only(PID + 1000, LINUX_STOP_THREAD_START, 0);
    CHECK_EQ(code_at(PID + 1000, CHILD), OP_SPIN);
    PUT(PID, CHILD, EXIT);
    RESUME_ALL();
    expect_only(PID + 1000, LINUX_STOP_THREAD_EXIT, 0);
    run_on();
    CHECK(!find_task(PID + 1000));
    CHECK_EQ(linux_running(), 1);
}

TEST(thread_start_and_exit_are_announced) {
    announce(false);
}

TEST(early_thread_start_is_announced_once) {
    announce(true);
}

TEST(clone_during_a_stop_leaves_both_stopped) {
    attach_to(2, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    PUT(PID, START + 0x20, CLONE "S");
    task(PID)->registers.rip = START + 0x20;
    task(PID)->trap_pending = false; /* the clone gets in before the interrupt */
    CHECK_EQ(wait_stop(), 1);
    expect_stop(1, PID, LINUX_STOP_INTERRUPT, 0);
    CHECK_EQ(task(PID + 1000)->state, TASK_STOPS);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 3);
    run_on();
    CHECK_EQ(linux_running(), 3);
}

TEST(early_clone_child_killed_before_its_parents_event) {
    configure(report_threads);
    attach_to(1, CLONE "S");
    RESUME_ALL();
    kernel.waitpid(PID + 1, &(int){0}, __WALL | WNOHANG); /* the thread clones */
    CHECK_EQ(task(PID)->state, TASK_STOPS);
    task(PID)->reported = true; /* the parent's status is still under way */
    expect_nothing();
    CHECK_EQ(task(PID + 1000)->state, TASK_STOPS);
    kill_group(PID);
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
    CHECK(!find_task(PID + 1000));
    CHECK(!find_thread(PID + 1000));
}

TEST(kill_with_an_early_clone_child) {
    attach_to(1, CLONE "S");
    RESUME_ALL();
    kernel.waitpid(PID + 1, &(int){0}, __WALL | WNOHANG);
    task(PID)->reported = true;
    expect_nothing();
    CHECK_EQ(linux_kill(PID), 0);
    expect_empty();
    CHECK(!find_task(PID) && !find_task(PID + 1000));
}

TEST(thread_exits_during_a_stop_all) {
    attach_to(3, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    PUT(PID, START, EXIT);
    task(PID + 2)->trap_pending = false;
    task(PID)->slow = true;
    task(PID + 1)->slow = true;
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 0, 0), 0);
    PUT(PID, START, "S");
    task(PID)->slow = task(PID + 1)->slow = false;
    CHECK_EQ(wait_stop(), 1);
    expect_stop(1, PID, LINUX_STOP_INTERRUPT, 0);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 2);
    run_on();
    CHECK(!find_task(PID + 2));
}

TEST(leader_exits_before_its_threads) {
    attach_to(2, "S");
    PUT(PID, CHILD, EXIT);
    task(PID)->registers.rip = CHILD;
    run_on();
    CHECK_EQ(task(PID)->state, TASK_DEAD);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 1);
    CHECK_EQ(tids[0], PID + 1);
    linux_interrupt(PID);
    expect_only(PID + 1, LINUX_STOP_INTERRUPT, 0);
    plant(PID, START + 1);
    PUT(PID + 1, START, QUIT);
    RESUME_ALL();
    CHECK_EQ(wait_stop(), 1);
    CHECK_EQ(stops[0].kind, LINUX_STOP_EXITED);
    expect_empty();
}

TEST(exit_group_reports_one_exit) {
    attach_to(3, QUIT);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXITED, 0);
    CHECK_EQ(stops[0].value, QUIT_CODE);
    expect_empty();
    CHECK(!find_task(PID));
}

static void exec_from_second(bool reported) {
    if (reported)
        configure(report_execs);
    attach_to(3, "S");
    plant(PID, START + 0x10);
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->registers.rip = CHILD;
    RESUME_ALL();
    if (reported) {
        expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
        int32_t tids[4];
        CHECK_EQ(linux_threads(PID, tids, 4), 1);
        CHECK_EQ(tids[0], PID);
        RESUME_ALL();
    }
    expect_nothing();
    CHECK(!find_task(PID + 1) && !find_task(PID + 2));
    CHECK_EQ(linux_running(), 1);
    CHECK_EQ(code_at(PID, START + 0x10), OP_SPIN);
    interrupt();
}

TEST(exec_from_another_thread_while_all_run) {
    linux_options none = {0};
    linux_configure(&none);
    exec_from_second(false);
}

TEST(exec_from_another_thread_is_reported_by_the_leader) {
    exec_from_second(true);
}

TEST(exec_while_the_others_are_stopped) {
    configure(report_execs);
    attach_to(3, "S");
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->registers.rip = CHILD;
    resume(PID + 1, LINUX_CONTINUE, 0);
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    CHECK(!find_task(PID + 1) && !find_task(PID + 2));
    CHECK_EQ(find_process(PID)->live, 1);
}

/* On a busy machine a wait may be over before it has slept once. */
TEST(exec_while_no_wait_ever_sleeps) {
    configure(report_execs);
    attach_to(3, "S");
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->registers.rip = CHILD;
    RESUME_ALL();
    int count = 0;
    for (int wait = 0; wait < 60 && !count; wait++)
        count = linux_wait(stops, MAX_STOPS, 1, INT64_MAX);
    CHECK_EQ(count, 1);
    expect_stop(1, PID, LINUX_STOP_EXEC, SIGTRAP);
}

TEST(exec_during_a_stop_all) {
    configure(report_execs);
    attach_to(3, "S");
    RESUME_ALL();
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->registers.rip = CHILD;
    linux_interrupt(PID + 1);
    task(PID + 1)->trap_pending = false;
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    run_on();
}

static void exec_when_seized(long request, pid_t tid) {
    if (request != PTRACE_INTERRUPT || tid != PID)
        return;
    before_ptrace = NULL;
    PUT(PID, CHILD, EXEC);
    task(PID + 2)->registers.rip = CHILD;
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG);
    CHECK_EQ(task(PID + 2)->state, TASK_EXECS);
}

/* A thread in execve only stops when the others have been reaped. */
TEST(attach_while_a_thread_execs) {
    linux_options none = {0};
    linux_configure(&none);
    make_process(PID, 3);
    before_ptrace = exec_when_seized;
    CHECK_EQ(linux_attach(PID), 1);
    run_on();
    CHECK_EQ(linux_running(), 1);
}

TEST(detach_while_a_thread_execs) {
    attach_to(3, "S");
    run_on();
    PUT(PID, CHILD, EXEC);
    task(PID + 2)->registers.rip = CHILD;
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* the thread enters execve */
    CHECK_EQ(task(PID + 2)->state, TASK_EXECS);
    CHECK_EQ(linux_detach(PID, 0), 0);
    expect_empty();
}

TEST(attach_to_a_process_without_its_leader) {
    make_process(PID, 3);
    task(PID)->state = TASK_DEAD;
    CHECK_EQ(linux_attach(PID), 2);
    run_on();
    PUT(PID + 1, START, QUIT);
    CHECK_EQ(wait_stop(), 1);
    CHECK_EQ(stops[0].kind, LINUX_STOP_EXITED);
    CHECK_EQ(stops[0].value, QUIT_CODE);
    expect_empty();
}

TEST(exec_in_a_process_without_its_leader) {
    configure(report_execs);
    make_process(PID, 3);
    task(PID)->state = TASK_DEAD;
    CHECK_EQ(linux_attach(PID), 2);
    PUT(PID + 1, CHILD, EXEC);
    task(PID + 2)->registers.rip = CHILD;
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 1);
    CHECK_EQ(tids[0], PID);
    run_on();
    PUT(PID, START, QUIT);
    expect_only(PID, LINUX_STOP_EXITED, 0);
    CHECK_EQ(stops[0].value, QUIT_CODE);
}

TEST(attach_to_nobody) {
    CHECK_EQ(linux_attach(PID), -3);
    expect_empty();
}
