/* Threads that stop while others run. */
#include "test_linux.h"

#include <errno.h>
#include <sys/wait.h>

static void attach_in(int scope, int threads, const char *code) {
    attach_to(threads, code);
    linux_set_scope(scope);
}

#define ATTACH(threads, code) attach_in(LINUX_SCOPE_THREAD, threads, code)

/* The one event that is found; the other threads may run. */
static void expect_event(pid_t tid, int kind, int signal) {
    int count = 0;
    for (int i = 0; i < 60 && !count; i++)
        count = linux_wait(stops, MAX_STOPS, 0, 0);
    CHECK_EQ(count, 1);
    expect_stop(1, tid, kind, signal);
}

static bool runs(pid_t tid) {
    return find_thread(tid)->state == THREAD_RUNNING;
}

TEST(one_thread_stops_and_the_others_run_on) {
    ATTACH(3, "S");
    run_on();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK(runs(PID) && !runs(PID + 1) && runs(PID + 2));
    CHECK_EQ(task(PID)->state, TASK_RUNS);
}

TEST(a_resume_means_no_thread_whose_stop_is_not_acknowledged) {
    ATTACH(2, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    run_on();
    CHECK(!runs(PID + 1));
    CHECK_EQ(linux_acknowledge(PID + 1), 0);
    run_on();
    CHECK(runs(PID + 1));
    CHECK_EQ(linux_acknowledge(PID + 7), -ESRCH);
}

TEST(a_resume_means_no_thread_whose_stop_nobody_has_collected) {
    ATTACH(2, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    collect_any();
    collect_any();
    RESUME_ALL();
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK(!runs(PID + 1));
}

TEST(stop_is_one_event_for_each_thread_that_runs) {
    ATTACH(3, "S");
    resume(PID, LINUX_CONTINUE, 0);
    resume(PID + 1, LINUX_CONTINUE, 0);
    resume(-1, LINUX_STOP, 0);
    resume(-1, LINUX_STOP, 0);
    int count = 0;
    for (int i = 0; i < 60 && count < 2; i++)
        count += linux_wait(stops + count, MAX_STOPS - count, 0, 0);
    CHECK_EQ(count, 2);
    expect_stop(2, PID, LINUX_STOP_HALTED, 0);
    expect_stop(2, PID + 1, LINUX_STOP_HALTED, 0);
    expect_nothing();
}

/* ptrace_stop(): any trap clears a PTRACE_INTERRUPT that is under way. */
TEST(a_stop_that_a_passed_signal_swallows_is_made_all_the_same) {
    linux_options options = {.program_signals = ~0ull, .pass_signals = 1ull << (SIGUSR1 - 1)};
    linux_configure(&options);
    ATTACH(2, "S");
    RESUME_ALL();
    resume(PID + 1, LINUX_STOP, 0);
    task(PID + 1)->trap_pending = false;
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_HALTED, 0);
    CHECK(runs(PID) && !runs(PID + 1));
    CHECK_EQ(linux_acknowledge(PID + 1), 0);
    run_on();
    CHECK_EQ(delivered(PID + 1, SIGUSR1), 1);
}

TEST(a_thread_that_has_an_event_needs_no_stop) {
    ATTACH(1, "S");
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 0);
    collect_any();
    collect_any();
    resume(PID, LINUX_STOP, 0);
    expect_event(PID, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK_EQ(linux_acknowledge(PID), 0);
    run_on();
}

TEST(a_trap_is_stepped_over_with_the_others_held_and_let_go) {
    ATTACH(3, NOP NOP "J");
    plant(PID, START + 1);
    guarded = START + 1;
    RESUME_ALL();
    for (int hits = 0; hits < 200;) {
        int count = linux_wait(stops, MAX_STOPS, 0, 0);
        for (int i = 0; i < count; i++) {
            CHECK_EQ(stops[i].kind, LINUX_STOP_BREAKPOINT);
            CHECK_EQ(linux_acknowledge(stops[i].tid), 0);
            hits++;
        }
        for (int i = 0; i < count; i++)
            resume(stops[i].tid, LINUX_CONTINUE, 0);
    }
    CHECK_EQ(slipped, 0);
    CHECK_EQ(code_at(PID, START + 1), OP_TRAP);
}

TEST(a_trap_lifted_after_it_was_hit_is_left_for_the_instruction) {
    ATTACH(2, NOP NOP "S");
    plant(PID, START + 1);
    resume(PID, LINUX_CONTINUE, 0);
    kernel.waitpid(PID + 1, &(int){0}, __WALL | WNOHANG); /* the thread runs into it */
    CHECK_EQ(task(PID)->state, TASK_STOPS);
    CHECK_EQ(linux_remove_trap(PID, START + 1), 1);
    expect_nothing();
    CHECK(runs(PID));
    CHECK_EQ(task(PID)->registers.rip, START + 2);
}

TEST(a_trap_of_the_program_itself_is_a_signal) {
    ATTACH(2, NOP TRAP "S");
    resume(PID, LINUX_CONTINUE, 0);
    expect_event(PID, LINUX_STOP_SIGNAL, SIGTRAP);
}

TEST(debug_registers_reach_threads_that_run) {
    ATTACH(2, "S");
    run_on();
    const uint64_t addresses[4] = {START, 0, 0, 0};
    CHECK_EQ(linux_set_debug_registers(PID, addresses, 1), 0);
    expect_nothing();
    CHECK_EQ(task(PID)->debug[0], START);
    CHECK_EQ(task(PID + 1)->debug[7], 1);
    CHECK(runs(PID) && runs(PID + 1));
}

TEST(a_clone_child_runs_and_can_be_stopped) {
    ATTACH(1, CLONE "S");
    PUT(PID, CHILD, "S");
    run_on();
    CHECK(runs(PID) && runs(PID + 1000));
    resume(PID + 1000, LINUX_STOP, 0);
    expect_event(PID + 1000, LINUX_STOP_HALTED, 0);
    CHECK(runs(PID));
}

static void report_forks(linux_options *options) {
    options->report_forks = 1;
}

TEST(a_fork_child_waits_until_the_fork_is_acknowledged_and_it_is_resumed) {
    configure(report_forks);
    ATTACH(2, FORK "S");
    PUT(PID, CHILD, "S");
    task(PID + 1)->slow = true;
    RESUME_ALL();
    expect_event(PID, LINUX_STOP_FORK, SIGTRAP);
    pid_t child = (pid_t)stops[0].value;
    run_on();
    CHECK_EQ(task(child)->state, TASK_STOPS);
    CHECK_EQ(linux_acknowledge(PID), 0);
    CHECK_EQ(linux_acknowledge(child), 0);
    run_on();
    CHECK(runs(child) && runs(PID));
}

static void report_threads(linux_options *options) {
    options->report_threads = 1;
}

TEST(an_announced_exit_needs_no_resume) {
    configure(report_threads);
    ATTACH(2, "S");
    run_on();
    PUT(PID, START + 0x20, EXIT);
    task(PID + 1)->registers.rip = START + 0x20;
    expect_event(PID + 1, LINUX_STOP_THREAD_EXIT, 0);
    expect_nothing();
    CHECK(!find_task(PID + 1));
    CHECK(runs(PID));
}

TEST(the_last_running_thread_ends_unseen) {
    ATTACH(2, "S");
    PUT(PID, START + 0x20, EXIT);
    task(PID + 1)->registers.rip = START + 0x20;
    resume(PID + 1, LINUX_CONTINUE, 0);
    expect_event(PID, LINUX_STOP_NONE_RESUMED, 0);
    expect_nothing();
    run_on();
    CHECK(runs(PID));
}

TEST(a_stop_of_nothing_is_not_the_end_of_everything) {
    ATTACH(2, "S");
    resume(-1, LINUX_STOP, 0);
    expect_nothing();
}

TEST(an_interrupt_stops_one_thread) {
    ATTACH(3, "S");
    RESUME_ALL();
    CHECK_EQ(linux_interrupt(PID + 1), 1);
    expect_event(PID + 1, LINUX_STOP_INTERRUPT, 0);
    CHECK(runs(PID) && runs(PID + 2));
    CHECK_EQ(linux_interrupt(PID + 1), 1);
    int count = linux_wait(stops, MAX_STOPS, 0, 0);
    CHECK(count == 1 && stops[0].tid != PID + 1);
}

TEST(quit_of_one_thread_ends_stopped_ones) {
    ATTACH(3, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    PUT(PID, START + 0x20, QUIT);
    task(PID + 2)->registers.rip = START + 0x20;
    expect_event(PID, LINUX_STOP_EXITED, 0);
    CHECK_EQ(stops[0].value, QUIT_CODE);
    expect_empty();
}

TEST(another_process_is_killed_and_detached_while_one_runs) {
    ATTACH(2, "S");
    make_process(PID + 100, 2);
    make_process(PID + 200, 2);
    CHECK_EQ(linux_attach(PID + 100), 2);
    CHECK_EQ(linux_attach(PID + 200), 2);
    run_on();
    CHECK_EQ(linux_kill(PID + 100), 0);
    CHECK_EQ(linux_detach(PID + 200, 0), 0);
    expect_nothing();
    CHECK(runs(PID) && runs(PID + 1));
    CHECK_EQ(task(PID + 200)->state, TASK_RUNS);
    CHECK(!task(PID + 200)->traced);
}

TEST(an_attach_leaves_other_processes_running) {
    linux_options options = {.program_signals = ~0ull, .pass_signals = 1ull << (SIGUSR1 - 1)};
    linux_configure(&options);
    ATTACH(1, "S");
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 0); /* passed while the other process is being stopped */
    make_process(PID + 100, 3);
    CHECK_EQ(linux_attach(PID + 100), 3);
    expect_nothing();
    CHECK(runs(PID) && !runs(PID + 100));
    CHECK_EQ(linux_run_attached(PID + 100, PID + 101), 2);
    expect_nothing();
    CHECK(runs(PID + 100) && !runs(PID + 101) && runs(PID + 102));
}

TEST(back_to_all_stop_everything_stops) {
    ATTACH(3, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    send_signal(PID + 2, SIGUSR2, 0);
    collect_any();
    collect_any();
    linux_set_scope(LINUX_SCOPE_ALL);
    expect_only(PID + 2, LINUX_STOP_SIGNAL, SIGUSR2);
    run_on();
    CHECK(runs(PID) && runs(PID + 1) && runs(PID + 2));
}

/* --- process by process ------------------------------------------------------------- */

TEST(a_process_stops_whole_and_another_runs_on) {
    attach_in(LINUX_SCOPE_PROCESS, 3, "S");
    make_process(PID + 100, 2);
    CHECK_EQ(linux_attach(PID + 100), 2);
    run_on();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_event(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK(!runs(PID) && !runs(PID + 1) && !runs(PID + 2));
    CHECK(runs(PID + 100) && runs(PID + 101));
    run_on();
    CHECK(runs(PID) && runs(PID + 1) && runs(PID + 2));
}

TEST(a_process_is_interrupted_once) {
    attach_in(LINUX_SCOPE_PROCESS, 3, "S");
    run_on();
    CHECK_EQ(linux_interrupt(PID), 1);
    resume(-1, LINUX_STOP, 0);
    expect_event(PID, LINUX_STOP_INTERRUPT, 0);
    expect_nothing();
    CHECK_EQ(linux_interrupt(PID), 0);
    expect_nothing();
}

TEST(a_process_that_stopped_for_nothing_runs_on) {
    attach_in(LINUX_SCOPE_PROCESS, 3, "S");
    run_on();
    send_signal(PID + 1, SIGUSR1, 0);
    collect_any();
    collect_any();
    find_thread(PID + 1)->event.kind = 0; /* as when an exec has taken the thread */
    expect_nothing();
    CHECK(runs(PID) && runs(PID + 1) && runs(PID + 2));
}
