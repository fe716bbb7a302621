/* Signals, exits and system calls during the step over a trap. */
#include "test_linux.h"

#include <string.h>

static int sent[4];

static void send_on_step(long request, pid_t tid) {
    if (request != PTRACE_SINGLESTEP)
        return;
    before_ptrace = NULL;
    for (int i = 0; i < 4 && sent[i]; i++)
        send_signal(tid, sent[i], 100 + i);
}

static void hit_then_signal(int first, int second) {
    attach_to(2, WALK);
    plant(PID, TRAP_PLACE);
    task(PID + 1)->slow = true;
    RESUME_ALL();
    task(PID + 1)->slow = false;
    task(PID + 1)->registers.rip = START + 2;
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    sent[0] = first;
    sent[1] = second;
    before_ptrace = send_on_step;
    RESUME_ALL();
}

TEST(signal_during_the_step_over_is_reported_once) {
    hit_then_signal(SIGUSR2, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR2);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    siginfo_t info;
    CHECK_EQ(linux_read_siginfo(PID, (uint8_t *)&info), 128);
    CHECK(info.si_signo == SIGUSR2 && info.si_int == 100);
    resume(-1, LINUX_CONTINUE, SIGUSR2);
    expect_nothing();
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
    CHECK_EQ(deliveries[0].value, 100);
    CHECK_EQ(traps_taken, 1);
}

TEST(passed_signal_during_the_step_over) {
    configure(pass_usr1);
    hit_then_signal(SIGUSR1, 0);
    expect_nothing();
    CHECK_EQ(delivered(PID, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 100);
    CHECK_EQ(traps_taken, 1);
}

TEST(two_signals_during_the_step_over) {
    hit_then_signal(SIGUSR2, SIGHUP);
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        expect_only(PID, LINUX_STOP_SIGNAL, i ? SIGHUP : SIGUSR2);
        seen++;
        RESUME_ALL();
    }
    CHECK_EQ(seen, 2);
    expect_nothing();
    CHECK_EQ(traps_taken, 1);
}

TEST(signal_and_fault_during_the_step_over) {
    attach_to(1, WALK);
    PUT(PID, TRAP_PLACE, "G");
    hit_trap();
    sent[0] = SIGUSR2;
    before_ptrace = send_on_step;
    RESUME_ALL();
    bool fault = false, signal = false;
    for (int i = 0; i < 4 && !(fault && signal); i++) {
        CHECK_EQ(wait_stop(), 1);
        fault |= stops[0].signal == SIGSEGV;
        signal |= stops[0].signal == SIGUSR2;
        set_pc(PID, START + 4);
        RESUME_ALL();
    }
    CHECK(fault && signal);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

TEST(fault_during_the_step_over) {
    attach_to(1, WALK);
    PUT(PID, TRAP_PLACE, "G");
    hit_trap();
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSEGV);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

TEST(late_interrupt_during_the_step_over) {
    attach_to(1, WALK);
    hit_trap();
    task(PID)->trap_pending = true;
    run_on();
    CHECK_EQ(traps_taken, 1);
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

static void at_trap(const char *code) {
    attach_to(2, "S");
    PUT(PID, CHILD, NOP NOP NOP NOP NOP NOP "S");
    put_code(PID, CHILD + 1, code, (int)strlen(code));
    task(PID)->registers.rip = CHILD;
    plant(PID, CHILD + 1);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
}

TEST(step_over_an_exit) {
    at_trap(EXIT);
    run_on();
    CHECK_EQ(code_at(PID + 1, CHILD + 1), OP_TRAP);
    CHECK_EQ(linux_running(), 1);
}

TEST(step_over_an_exit_group) {
    at_trap(QUIT);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXITED, 0);
    CHECK_EQ(stops[0].value, QUIT_CODE);
    expect_empty();
}

TEST(step_over_a_clone) {
    at_trap(CLONE);
    RESUME_ALL();
    /* The child begins before the trap, and comes by it on its own. */
    expect_only(PID + 1000, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(linux_running(), 0);
    int32_t tids[4];
    CHECK_EQ(linux_threads(PID, tids, 4), 3);
}

TEST(step_over_a_fork) {
    at_trap(FORK);
    run_on();
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID + 1000, CHILD + 1), OP_SYSCALL);
    CHECK_EQ(code_at(PID, CHILD + 1), OP_TRAP);
}

/* No step over the trap holds the signal back: it comes first, and then the trap again. */
TEST(signal_of_the_client_from_a_trap) {
    at_trap(NOP);
    resume(PID, LINUX_CONTINUE, SIGUSR2);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
    CHECK_EQ(stops[0].pc, CHILD + 1);
    run_on();
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
}

TEST(signal_of_the_client_from_a_trap_on_a_system_call) {
    at_trap(CALL);
    resume(PID, LINUX_CONTINUE, SIGUSR2);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
    run_on();
    CHECK_EQ(task(PID)->registers.rip, CHILD + 6);
}

TEST(step_over_a_system_call_ends_a_step) {
    at_trap(CALL);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, CHILD + 1 + CALL_SIZE);
    CHECK_EQ(code_at(PID, CHILD + 1), OP_TRAP);
}

TEST(step_over_a_caught_system_call) {
    at_trap(CALL);
    CHECK_EQ(linux_catch_syscalls(PID, NULL, -1), 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_ENTRY, SIGTRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_RETURN, SIGTRAP);
}

TEST(step_over_an_exec) {
    linux_options none = {0};
    linux_configure(&none);
    at_trap(EXEC);
    run_on();
    CHECK_EQ(linux_running(), 1);
    CHECK(!find_task(PID + 1));
    CHECK_EQ(code_at(PID, CHILD + 1), OP_SPIN);
}

static void kill_on_step(long request, pid_t tid) {
    if (request == PTRACE_SINGLESTEP)
        kill_group(task(tid)->group->pid);
}

TEST(killed_during_the_step_over) {
    at_trap(NOP);
    before_ptrace = kill_on_step;
    RESUME_ALL();
    before_ptrace = NULL;
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

/* The step over makes an event, so the others stay where they are; its thread then vanishes. */
TEST(undone_stop_steps_over_the_trap_that_is_left) {
    linux_options none = {0};
    linux_configure(&none);
    attach_to(1, "S");
    make_process(PID + 50, 1);
    PUT(PID + 50, START, WALK);
    CHECK_EQ(linux_attach(PID + 50), 1);
    plant(PID + 50, TRAP_PLACE);
    RESUME_ALL();
    expect_only(PID + 50, LINUX_STOP_BREAKPOINT, SIGTRAP);
    PUT(PID, CHILD, NOP);
    plant(PID, CHILD);
    set_pc(PID, CHILD);
    resume(PID, LINUX_CONTINUE, 0);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    int before = traps_taken;
    linux_action actions[] = {{-1, PID, LINUX_STEP, 0, 0, 0}, {-1, -1, LINUX_CONTINUE, 0, 0, 0}};
    linux_resume(actions, 2);
    find_thread(PID)->event.kind = 0; /* as the death of the thread would have it */
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(traps_taken, before);
    CHECK(task(PID + 50)->registers.rip > TRAP_PLACE);
}

/* The traced system call sleeps: nobody may wait for the step to end. */
TEST(step_over_a_system_call_that_blocks) {
    at_trap(BLOCK);
    run_on();
    CHECK_EQ(code_at(PID, CHILD + 1), OP_TRAP);
    linux_interrupt(PID + 1);
    expect_only(PID + 1, LINUX_STOP_INTERRUPT, 0);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(code_at(PID, CHILD + 1), OP_SYSCALL);
}
