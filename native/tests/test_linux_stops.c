/* Interrupts, SIGKILL, system calls and stops whose reason goes away. */
#include "test_linux.h"

#include <sys/wait.h>

TEST(interrupt_reports_the_preferred_thread) {
    attach_to(3, "S");
    run_on();
    CHECK_EQ(linux_interrupt(PID + 1), 1);
    expect_only(PID + 1, LINUX_STOP_INTERRUPT, 0);
    CHECK_EQ(linux_interrupt(PID + 1), 0);
    expect_nothing();
}

TEST(interrupt_within_one_call) {
    attach_to(3, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 5000000, 5000000), 1);
    expect_stop(1, PID, LINUX_STOP_INTERRUPT, 0);
}

TEST(interrupt_of_many) {
    attach_to(12, "S");
    RESUME_ALL();
    CHECK_EQ(linux_interrupt(PID + 3), 1);
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 5000000, 0), 1);
    expect_stop(1, PID + 3, LINUX_STOP_INTERRUPT, 0);
    CHECK_EQ(linux_running(), 0);
}

/* Whichever it is: the one that is waited for first, the one that is asked first, another. */
TEST(one_of_many_takes_its_time) {
    attach_to(12, "S");
    for (int i = 0; i < 12; i++) {
        RESUME_ALL();
        task(PID + i)->slow = true;
        linux_interrupt(PID);
        CHECK_EQ(linux_wait(stops, MAX_STOPS, 2000, 0), 0);
        CHECK_EQ(linux_running(), 1);
        task(PID + i)->slow = false;
        expect_only(PID, LINUX_STOP_INTERRUPT, 0);
    }
}

TEST(last_of_many_is_killed) {
    attach_to(12, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    kill_group(PID);
    CHECK_EQ(wait_stop(), 1);
    expect_stop(1, PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

TEST(sleeping_wait_is_woken) {
    attach_to(2, QUIT);
    RESUME_ALL();
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* exits before the wait begins: SIGCHLD is all there is */
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 5000000, 0), 1);
    expect_stop(1, PID, LINUX_STOP_EXITED, 0);
}

TEST(interrupt_races_with_a_signal) {
    attach_to(3, "S");
    RESUME_ALL();
    send_signal(PID + 2, SIGUSR2, 5);
    linux_interrupt(PID);
    task(PID + 2)->trap_pending = false;
    expect_only(PID + 2, LINUX_STOP_SIGNAL, SIGUSR2);
    run_on();
    CHECK_EQ(linux_running(), 3);
}

TEST(interrupt_races_with_an_exit) {
    attach_to(2, QUIT);
    RESUME_ALL();
    linux_interrupt(PID);
    task(PID)->trap_pending = task(PID + 1)->trap_pending = false;
    expect_only(PID, LINUX_STOP_EXITED, 0);
    expect_empty();
}

TEST(two_signals_in_one_stop) {
    attach_to(3, "S");
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 1);
    send_signal(PID + 2, SIGUSR2, 2);
    int count = wait_stop();
    CHECK_EQ(count, 2);
    expect_stop(count, PID, LINUX_STOP_SIGNAL, SIGUSR1);
    expect_stop(count, PID + 2, LINUX_STOP_SIGNAL, SIGUSR2);
    run_on();
}

TEST(more_events_than_there_is_room_for) {
    attach_to(5, "S");
    RESUME_ALL();
    for (int i = 0; i < 5; i++)
        send_signal(PID + i, SIGUSR1, i);
    int count = 0, seen = 0;
    for (int i = 0; i < 10 && seen < 5; i++) {
        count = linux_wait(stops, 2, 0, 0);
        CHECK(count <= 2);
        seen += count;
    }
    CHECK_EQ(seen, 5);
    expect_nothing();
    run_on();
    CHECK_EQ(linux_running(), 5);
}

/* PTRACE_INTERRUPT reaches a thread that is in another stop already: its trap comes after the next resume. */
static void late_trap(long request, pid_t tid) {
    if (request == PTRACE_INTERRUPT && tid == PID + 1) {
        before_ptrace = NULL;
        kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG);
        CHECK_EQ(task(PID + 1)->state, TASK_STOPS);
    }
}

TEST(late_interrupt_trap_is_swallowed) {
    attach_to(2, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    before_ptrace = late_trap;
    linux_interrupt(PID);
    CHECK(task(PID + 1)->trap_pending);
    expect_only(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK(task(PID + 1)->trap_pending);
    run_on();
    CHECK_EQ(linux_running(), 2);
    CHECK_EQ(task(PID + 1)->state, TASK_RUNS);
}

TEST(late_interrupt_trap_does_not_eat_a_step) {
    attach_to(2, NOP NOP "S");
    send_signal(PID + 1, SIGUSR1, 0);
    resume(PID + 1, LINUX_CONTINUE, 0);
    before_ptrace = late_trap;
    linux_interrupt(PID + 1);
    expect_only(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    uint64_t pc = task(PID + 1)->registers.rip;
    resume(PID + 1, LINUX_STEP, 0);
    expect_only(PID + 1, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(task(PID + 1)->registers.rip, pc + 1);
}

static void kill_when_stopped(bool quiet) {
    attach_to(3, "S");
    quiet_deaths = quiet;
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR1);
    kill_group(PID);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
    CHECK(!find_task(PID));
}

TEST(killed_while_stopped) {
    kill_when_stopped(false);
}

TEST(killed_while_stopped_without_exit_stops) {
    kill_when_stopped(true);
}

TEST(killed_during_a_stop_all) {
    attach_to(3, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    linux_wait(stops, MAX_STOPS, 0, 0);
    kill_group(PID);
    int count = linux_wait(stops, MAX_STOPS, 0, 0);
    count = count ? count : wait_stop();
    CHECK_EQ(count, 1);
    if (stops[0].kind == LINUX_STOP_INTERRUPT) {
        RESUME_ALL();
        CHECK_EQ(wait_stop(), 1);
    }
    expect_stop(1, PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

TEST(kill_a_running_process) {
    attach_to(3, "S");
    run_on();
    CHECK_EQ(linux_kill(PID), 0);
    expect_empty();
    CHECK(!find_task(PID));
}

TEST(kill_a_stopped_process) {
    attach_to(3, "S");
    CHECK_EQ(linux_kill(PID), 0);
    expect_empty();
    CHECK(!find_task(PID));
}

/* A process with other processes about: what they have to say while one is killed is kept. */
TEST(kill_one_of_two_processes) {
    attach_to(1, "S");
    make_process(PID + 50, 1);
    PUT(PID + 50, START, CLONE "S");
    CHECK_EQ(linux_attach(PID + 50), 1);
    RESUME_ALL();
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* the other clones */
    task(PID + 50)->reported = true;
    CHECK_EQ(task(PID + 50)->state, TASK_STOPS);
    CHECK_EQ(linux_kill(PID), 0);
    task(PID + 50)->reported = false;
    expect_nothing();
    CHECK_EQ(linux_running(), 2);
    linux_interrupt(PID + 50);
    expect_only(PID + 50, LINUX_STOP_INTERRUPT, 0);
}

/* The thread whose signal made everything stop is taken away by another one's execve. */
TEST(stop_is_undone_when_its_thread_vanishes) {
    linux_options none = {0};
    linux_configure(&none);
    attach_to(3, "S");
    make_process(PID + 50, 2);
    CHECK_EQ(linux_attach(PID + 50), 2);
    RESUME_ALL();
    send_signal(PID + 2, SIGUSR1, 0);
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->slow = true;
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 0, 0), 0); /* the signal is seen, the others are told to stop */
    task(PID + 1)->registers.rip = CHILD;
    task(PID + 1)->slow = task(PID + 1)->trap_pending = false;
    expect_nothing();
    CHECK_EQ(linux_running(), 3);
    CHECK(!find_task(PID + 2));
    CHECK_EQ(task(PID + 51)->state, TASK_RUNS);
}

TEST(exec_reported_when_the_stopping_thread_vanishes) {
    configure(report_execs);
    attach_to(3, "S");
    RESUME_ALL();
    send_signal(PID + 2, SIGUSR1, 0);
    PUT(PID, CHILD, EXEC);
    task(PID + 1)->slow = true;
    CHECK_EQ(linux_wait(stops, MAX_STOPS, 0, 0), 0);
    task(PID + 1)->registers.rip = CHILD;
    task(PID + 1)->slow = task(PID + 1)->trap_pending = false;
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
}

TEST(caught_system_calls) {
    attach_to(1, NOP CALL "S");
    int32_t number = 39;
    CHECK_EQ(linux_catch_syscalls(PID, &number, 1), 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_ENTRY, SIGTRAP);
    CHECK_EQ(stops[0].value, 39);
    uint64_t result;
    CHECK_EQ(inject(PID, START + 1, 8, &result), -16);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_RETURN, SIGTRAP);
    run_on();
}

TEST(detach_while_running_rewinds_a_hit) {
    attach_to(2, "S");
    plant(PID, CHILD);
    run_on();
    task(PID + 1)->registers.rip = CHILD;
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(code_at(PID, CHILD), OP_SPIN);
    CHECK_EQ(task(PID + 1)->registers.rip, CHILD);
    expect_empty();
}

#define OTHER (PID + 100)

static void attach_to_two(void) {
    attach_to(2, "S");
    make_process(OTHER, 2);
    CHECK_EQ(linux_attach(OTHER), 2);
}

TEST(interrupt_is_of_a_thread_that_was_resumed) {
    attach_to_two();
    linux_action action = {OTHER, OTHER + 1, LINUX_CONTINUE, 0, 0, 0};
    CHECK_EQ(linux_resume(&action, 1), 1);
    linux_interrupt(PID);
    expect_only(OTHER + 1, LINUX_STOP_INTERRUPT, 0);
}

TEST(interrupt_is_of_the_preferred_process) {
    attach_to_two();
    pid_t preferred[] = {PID, OTHER, PID};
    for (int i = 0; i < 3; i++) {
        RESUME_ALL();
        linux_interrupt(preferred[i]);
        expect_only(preferred[i], LINUX_STOP_INTERRUPT, 0);
    }
}

TEST(interrupt_of_one_process_when_the_other_has_been_let_go) {
    attach_to_two();
    CHECK_EQ(linux_detach(PID, 0), 0);
    RESUME_ALL();
    linux_interrupt(PID);
    expect_only(OTHER, LINUX_STOP_INTERRUPT, 0);
}
