/* Child processes: let go clean, followed unseen, or reported. */
#include "test_linux.h"

#include <string.h>
#include <sys/wait.h>

#define CHILD_TRAP (CHILD + 2)

static void report_both(linux_options *options) {
    options->report_forks = options->report_vforks = 1;
}

static void quiet(linux_options *options) {
    options->report_execs = 0;
}

static void fork_and_go(bool child_first) {
    attach_to(2, "S");
    plant(PID, CHILD_TRAP);
    PUT(PID, CHILD - 0x20, FORK "S");
    task(PID)->registers.rip = CHILD - 0x20;
    youngest_first = child_first;
    run_on();
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(task(PID + 1000)->state, TASK_RUNS);
    CHECK_EQ(code_at(PID + 1000, CHILD_TRAP), OP_SPIN);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
    CHECK_EQ(linux_running(), 2);
    CHECK(!find_process(PID + 1000));
}

TEST(fork_child_is_let_go_without_traps) {
    fork_and_go(false);
}

TEST(fork_child_that_reports_first_is_let_go) {
    fork_and_go(true);
}

TEST(fork_is_reported_with_the_child_held) {
    configure(report_both);
    attach_to(1, FORK "S");
    PUT(PID, CHILD, QUIT);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_FORK, SIGTRAP);
    CHECK_EQ(stops[0].value, PID + 1000);
    CHECK_EQ(task(PID + 1000)->state, TASK_STOPS);
    linux_action action = {PID + 1000, -1, LINUX_CONTINUE, 0, 0, 0};
    CHECK_EQ(linux_resume(&action, 1), 1);
    expect_only(PID + 1000, LINUX_STOP_EXITED, 0);
    run_on();
}

static void kill_young(bool quiet_death, bool reported) {
    if (reported)
        configure(report_both);
    quiet_deaths = quiet_death;
    attach_to(1, FORK "S");
    RESUME_ALL();
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* forks */
    task(PID)->reported = true; /* the parent's event is under way */
    expect_nothing();
    CHECK_EQ(task(PID + 1000)->state, TASK_STOPS);
    kill_group(PID + 1000);
    expect_nothing();
    CHECK(!find_task(PID + 1000));
    task(PID)->reported = false;
    if (reported) {
        int count = wait_stop();
        expect_stop(count, PID, LINUX_STOP_FORK, SIGTRAP);
        RESUME_ALL();
        if (count == 1 && find_process(PID + 1000))
            CHECK_EQ(wait_stop(), 1);
    }
    expect_nothing();
    CHECK(!find_process(PID + 1000));
    CHECK_EQ(linux_running(), 1);
}

TEST(fork_child_dies_before_its_parents_event) {
    kill_young(false, false);
}

TEST(fork_child_dies_quietly_before_its_parents_event) {
    kill_young(true, false);
}

TEST(reported_fork_child_dies_before_its_parents_event) {
    kill_young(false, true);
}

static void vfork_then(const char *child_code) {
    configure(quiet);
    attach_to(2, "S");
    put_code(PID, CHILD, child_code, (int)strlen(child_code));
    plant(PID, CHILD_TRAP);
    PUT(PID, CHILD - 0x20, VFORK "S");
    task(PID)->registers.rip = CHILD - 0x20;
    RESUME_ALL();
}

static void after_vfork(void) {
    CHECK_EQ(traps_taken, 1);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
    CHECK_EQ(linux_running(), 2);
    CHECK_EQ(task(PID)->state, TASK_RUNS);
    CHECK(!find_process(PID + 1000));
}

TEST(vfork_child_is_followed_unseen_to_its_exec) {
    vfork_then(NOP NOP EXEC);
    expect_nothing();
    after_vfork();
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID + 1000, CHILD_TRAP), OP_SPIN);
}

TEST(vfork_child_is_followed_unseen_to_its_exit) {
    vfork_then(NOP NOP QUIT);
    expect_nothing();
    after_vfork();
    CHECK(!find_task(PID + 1000));
}

static void make_slow(long request, pid_t tid) {
    if (request == PTRACE_CONT && tid == PID + 1000) {
        before_ptrace = NULL;
        task(tid)->slow = true;
    }
}

/* In vfork(2) the parent cannot stop before its child has execed or exited: the child must go on. */
TEST(interrupt_during_a_vfork) {
    before_ptrace = make_slow;
    vfork_then(NOP NOP EXEC);
    expect_nothing();
    CHECK_EQ(task(PID)->state, TASK_SPAWNS);
    linux_interrupt(PID);
    expect_nothing();
    task(PID + 1000)->slow = false;
    expect_only(PID, LINUX_STOP_INTERRUPT, 0);
    CHECK(!find_process(PID + 1000));
    run_on();
    CHECK_EQ(linux_running(), 2);
}

TEST(detach_during_a_vfork) {
    before_ptrace = make_slow;
    vfork_then(NOP NOP EXEC);
    expect_nothing();
    CHECK_EQ(task(PID)->state, TASK_SPAWNS);
    task(PID + 1000)->slow = false;
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(!task(PID)->traced && !task(PID + 1)->traced);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_SYSCALL);
    expect_nothing();
    expect_empty();
}

TEST(vfork_parent_killed) {
    vfork_then(NOP "SS");
    expect_nothing();
    CHECK_EQ(task(PID)->state, TASK_SPAWNS);
    kill_group(PID);
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID + 1000, CHILD_TRAP), OP_SPIN);
    expect_empty();
}

/* The parent's trap is ahead of the child. */
static void vfork_with_trap(void) {
    configure(report_both);
    attach_to(1, VFORK "S");
    PUT(PID, CHILD, NOP NOP EXEC);
    plant(PID, CHILD_TRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_VFORK, SIGTRAP);
}

/* Who is left of the two has no traps that it could meet. */
static void let_go_of_both(pid_t first, pid_t second) {
    vfork_with_trap();
    CHECK_EQ(linux_detach(first, 0), 0);
    CHECK_EQ(linux_detach(second, 0), 0);
    CHECK(!task(PID)->traced && !task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID + 1000, CHILD_TRAP), OP_SYSCALL);
    expect_empty();
}

TEST(vfork_parent_and_then_child_let_go) {
    let_go_of_both(PID, PID + 1000);
}

TEST(vfork_child_and_then_parent_let_go) {
    let_go_of_both(PID + 1000, PID);
}

static void kill_on_step(long request, pid_t tid) {
    if (request == PTRACE_SINGLESTEP && tid == PID + 1000)
        kill_group(tid);
}

TEST(vfork_child_killed_while_its_trap_is_out) {
    vfork_then(NOP NOP NOP EXEC);
    before_ptrace = kill_on_step;
    expect_nothing();
    CHECK(!find_task(PID + 1000));
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
    CHECK_EQ(linux_running(), 2);
}

TEST(vfork_child_killed_quietly_while_its_trap_is_out) {
    quiet_deaths = true;
    vfork_then(NOP NOP NOP EXEC);
    before_ptrace = kill_on_step;
    expect_nothing();
    CHECK(!find_task(PID + 1000));
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
}

TEST(vfork_is_reported_and_its_end) {
    configure(report_both);
    attach_to(1, VFORK "S");
    PUT(PID, CHILD, QUIT);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_VFORK, SIGTRAP);
    RESUME_ALL();
    int count = wait_stop();
    expect_stop(count, PID + 1000, LINUX_STOP_EXITED, 0);
    if (count == 1) {
        RESUME_ALL();
        count = wait_stop();
    }
    expect_stop(count, PID, LINUX_STOP_VFORK_DONE, SIGTRAP);
    run_on();
}

TEST(reported_vfork_child_let_go_keeps_the_parents_traps) {
    vfork_with_trap();
    CHECK_EQ(linux_detach(PID + 1000, 0), 0);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_VFORK_DONE, SIGTRAP);
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
}

/* clone(CLONE_VM | SIGCHLD): a process of its own in the same memory. */
TEST(sharing_child_meets_a_trap_planted_later) {
    attach_to(1, NOP NOP NOP "J");
    PUT(PID, CHILD, "J");
    PUT(PID, CHILD - 0x20, SHARE "S");
    task(PID)->registers.rip = CHILD - 0x20;
    run_on();
    CHECK(task(PID + 1000)->traced);
    interrupt();
    plant(PID, START + 1);
    run_on();
    CHECK(traps_taken >= 1);
    CHECK_EQ(delivered(PID + 1000, SIGTRAP), 0);
    CHECK_EQ(code_at(PID, START + 1), OP_TRAP);
}

TEST(sharing_child_does_not_hinder_a_stop) {
    attach_to(1, SHARE "S");
    run_on();
    interrupt();
    CHECK_EQ(task(PID + 1000)->state, TASK_STOPS);
    run_on();
    CHECK_EQ(linux_running(), 2);
}

/* gdb takes its breakpoints out of the child, which is in the parent's memory, and puts the parent's in again. */
TEST(parents_trap_comes_back_after_it_was_taken_out_of_the_vfork_child) {
    configure(report_both);
    attach_to(1, VFORK "S");
    PUT(PID, CHILD, NOP NOP EXEC);
    plant(PID, CHILD_TRAP);
    const uint8_t below = OP_SYSCALL;
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_VFORK, SIGTRAP);
    CHECK_EQ(linux_remove_trap(PID + 1000, CHILD_TRAP), 1);
    CHECK_EQ(code_at(PID, CHILD_TRAP), below);
    plant(PID, CHILD_TRAP);
    CHECK_EQ(code_at(PID, CHILD_TRAP), OP_TRAP);
    uint8_t seen;
    CHECK_EQ(linux_read_memory(PID, CHILD_TRAP, &seen, 1), 1);
    CHECK_EQ(seen, below);
}

TEST(sharing_child_is_never_reported) {
    configure(report_both);
    attach_to(1, SHARE "S");
    run_on();
    CHECK(task(PID + 1000)->traced);
    CHECK(find_process(PID + 1000)->silent);
}

TEST(return_from_a_caught_exec_comes_after_the_exec) {
    configure(report_execs);
    attach_to(1, EXEC);
    CHECK_EQ(linux_catch_syscalls(PID, NULL, -1), 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_ENTRY, SIGTRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_RETURN, SIGTRAP);
    run_on();
}
