/* Steps and range steps. */
#include "test_linux.h"

TEST(range_step_stays_inside_c) {
    attach_to(1, NOP NOP NOP NOP NOP NOP NOP NOP NOP NOP "S");
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 8};
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 8);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 8);
}

TEST(range_step_is_interrupted) {
    attach_to(2, NOP NOP "J");
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 8};
    linux_resume(&action, 1);
    expect_nothing();
    interrupt();
}

TEST(range_step_meets_a_trap) {
    attach_to(1, NOP NOP NOP NOP NOP "S");
    plant(PID, START + 2);
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 4};
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 2);
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 4);
}

TEST(step_one_thread_while_the_others_run) {
    attach_to(3, NOP NOP NOP "S");
    linux_action actions[] = {{-1, PID + 1, LINUX_STEP, 0, 0, 0}, {-1, -1, LINUX_CONTINUE, 0, 0, 0}};
    CHECK_EQ(linux_resume(actions, 2), 3);
    expect_only(PID + 1, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 1);
}

TEST(signal_that_comes_with_a_step) {
    attach_to(1, WALK);
    send_signal(PID, SIGUSR1, 0);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR1);
    CHECK_EQ(stops[0].pc, START);
    resume(PID, LINUX_STEP, SIGUSR1);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(delivered(PID, SIGUSR1), 1);
}

TEST(sigtrap_from_elsewhere_is_a_signal) {
    attach_to(1, "S");
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    send_signal(PID, SIGTRAP, 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGTRAP);
}

TEST(trap_instruction_of_the_program) {
    attach_to(1, NOP TRAP NOP "S");
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 2);
    run_on();
}
