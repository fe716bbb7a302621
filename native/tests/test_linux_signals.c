/* Signals that are passed, given by the client or stop the job. */
#include "test_linux.h"

TEST(passed_signal_is_delivered_without_a_stop) {
    configure(pass_usr1);
    attach_to(2, "S");
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 77);
    expect_nothing();
    CHECK_EQ(delivered(PID + 1, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 77);
    send_signal(PID + 1, SIGUSR2, 0);
    expect_only(PID + 1, LINUX_STOP_SIGNAL, SIGUSR2);
    CHECK_EQ(delivered(PID + 1, SIGUSR2), 0);
}

TEST(passed_signal_during_a_stop_all_is_not_lost) {
    configure(pass_usr1);
    attach_to(2, "S");
    RESUME_ALL();
    linux_interrupt(PID);
    send_signal(PID + 1, SIGUSR1, 3);
    task(PID + 1)->trap_pending = false;
    expect_only(PID, LINUX_STOP_INTERRUPT, 0);
    CHECK_EQ(delivered(PID + 1, SIGUSR1), 0);
    run_on();
    CHECK_EQ(delivered(PID + 1, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 3);
}

TEST(signal_of_the_client_is_injected) {
    attach_to(1, "S");
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 8);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR1);
    resume(-1, LINUX_CONTINUE, SIGUSR1);
    expect_nothing();
    CHECK_EQ(delivered(PID, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 8);
}

TEST(signal_of_the_client_where_none_can_be_injected) {
    attach_to(1, "S");
    resume(-1, LINUX_CONTINUE, SIGUSR2);
    expect_nothing();
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
    send_signal(PID, SIGUSR2, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR2);
}

TEST(group_stop_is_listened_to) {
    attach_to(2, "S");
    RESUME_ALL();
    send_signal(PID, SIGSTOP, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSTOP);
    linux_action actions[] = {{-1, PID, LINUX_CONTINUE, SIGSTOP, 0, 0}, {-1, -1, LINUX_CONTINUE, 0, 0, 0}};
    linux_resume(actions, 2);
    expect_nothing();
    CHECK_EQ(task(PID)->state, TASK_LISTENS);
    CHECK_EQ(task(PID + 1)->state, TASK_LISTENS);
    linux_interrupt(PID + 1);
    expect_only(PID + 1, LINUX_STOP_INTERRUPT, 0);
    run_on();
    CHECK_EQ(task(PID)->state, TASK_LISTENS);
    send_group(PID, SIGCONT, 0);
    int count = wait_stop();
    CHECK_EQ(count, 1);
    CHECK(stops[0].kind == LINUX_STOP_SIGNAL && stops[0].signal == SIGCONT);
    run_on();
    CHECK_EQ(task(PID)->state, TASK_RUNS);
    CHECK_EQ(task(PID + 1)->state, TASK_RUNS);
}

TEST(attach_to_a_job_stopped_process_swallows_one_sigcont) {
    make_process(PID, 2)->group->stop_signal = SIGSTOP;
    CHECK_EQ(linux_attach(PID), 2);
    run_on();
    CHECK_EQ(task(PID)->state, TASK_RUNS);
    CHECK_EQ(task(PID + 1)->state, TASK_RUNS);
    CHECK_EQ(task(PID)->group->stop_signal, 0);
    send_group(PID, SIGCONT, 0);
    CHECK_EQ(wait_stop(), 1);
    CHECK_EQ(stops[0].signal, SIGCONT);
}

TEST(step_in_a_job_stopped_process) {
    make_process(PID, 2)->group->stop_signal = SIGSTOP;
    PUT(PID, START, NOP NOP NOP "S");
    CHECK_EQ(linux_attach(PID), 2);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(task(PID)->registers.rip, START + 1);
    run_on();
    CHECK_EQ(linux_running(), 2);
}

/* Where the kernel would send it anew, the signal must not be reported to the client who gave it. */
static void give_signal_and_go(void) {
    resume(-1, LINUX_CONTINUE, SIGUSR2);
    expect_nothing();
    CHECK_EQ(delivered(PID, SIGUSR2), 1);
    send_signal(PID, SIGUSR2, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR2);
}

TEST(signal_of_the_client_at_a_system_call) {
    attach_to(1, NOP CALL "S");
    int32_t number = 39;
    CHECK_EQ(linux_catch_syscalls(PID, &number, 1), 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SYSCALL_ENTRY, SIGTRAP);
    CHECK_EQ(linux_catch_syscalls(PID, NULL, 0), 0);
    give_signal_and_go();
}

TEST(signal_of_the_client_after_an_exec) {
    configure(report_execs);
    attach_to(1, NOP EXEC);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    give_signal_and_go();
}

TEST(detach_delivers_the_last_signal) {
    attach_to(2, "S");
    plant(PID, START + 4);
    RESUME_ALL();
    send_signal(PID + 1, SIGUSR1, 0);
    expect_only(PID + 1, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(delivered(PID + 1, SIGUSR1), 1);
    CHECK_EQ(code_at(PID, START + 4), OP_SPIN);
    CHECK(!task(PID)->traced && !task(PID + 1)->traced);
    CHECK_EQ(task(PID)->state, TASK_RUNS);
    expect_empty();
}

/* gdb has called functions return to a trap on the stack, which faults, and then puts the registers back. */
TEST(detach_does_not_deliver_the_fault_of_a_trap) {
    attach_to(1, "S");
    plant(PID, CHILD);
    run_on();
    task(PID)->registers.rip = CHILD;
    send_signal(PID, SIGSEGV, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSEGV);
    struct user_regs_struct before = task(PID)->registers;
    before.rip = START;
    CHECK_EQ(linux_write_regset(PID, 1, (const uint8_t *)&before, sizeof before), sizeof before);
    CHECK_EQ(linux_remove_trap(PID, CHILD), 1);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(delivered(PID, SIGSEGV), 0);
    expect_empty();
}
