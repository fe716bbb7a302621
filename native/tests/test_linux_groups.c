/* Guests: threads with a pid of their own, which outlive the program or leave it. */
#include "test_linux.h"

#define GUEST_PID (PID + 1000)
#define GUEST_TRAP (CHILD + 2)

/* PID makes a guest and goes on with `code`; the guest meets a trap at its third instruction. */
static void start_guest(const char *code, int code_size, const char *guest, int guest_size) {
    attach_to(1, "S");
    put_code(PID, CHILD - 0x20, GUEST, CALL_SIZE);
    put_code(PID, CHILD - 0x20 + CALL_SIZE, code, code_size);
    put_code(PID, CHILD, guest, guest_size);
    task(PID)->registers.rip = CHILD - 0x20;
}
#define START_GUEST(code, guest) start_guest(code, sizeof(code) - 1, guest, sizeof(guest) - 1)

/* The guest has hit its trap, all are stopped. */
static void guest_at_trap(const char *code, int code_size, const char *guest, int guest_size) {
    start_guest(code, code_size, guest, guest_size);
    plant(PID, GUEST_TRAP);
    RESUME_ALL();
    expect_only(GUEST_PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pid, PID);
}
#define GUEST_AT_TRAP(code, guest) guest_at_trap(code, sizeof(code) - 1, guest, sizeof(guest) - 1)

static int thread_count(void) {
    int32_t tids[8];
    return linux_threads(PID, tids, 8);
}

TEST(guest_hits_a_trap_as_a_thread) {
    GUEST_AT_TRAP("S", NOP NOP NOP "S");
    CHECK_EQ(thread_count(), 2);
    CHECK(!find_process(GUEST_PID));
    run_on();
    CHECK_EQ(linux_running(), 2);
    CHECK_EQ(code_at(PID, GUEST_TRAP), OP_TRAP);
}

TEST(guest_of_a_guest_is_a_thread) {
    GUEST_AT_TRAP("S", NOP NOP NOP GUEST "S");
    PUT(PID, CHILD, "S"); /* the second one does not come that far */
    run_on();
    CHECK_EQ(thread_count(), 3);
    CHECK_EQ(find_thread(GUEST_PID + 1)->group, GUEST_PID + 1);
}

TEST(thread_of_a_guest_is_of_its_group) {
    GUEST_AT_TRAP("S", NOP NOP NOP CLONE "S");
    PUT(PID, CHILD, "S");
    run_on();
    CHECK_EQ(thread_count(), 3);
    CHECK_EQ(find_thread(GUEST_PID + 1)->group, GUEST_PID);
    CHECK_EQ(linux_kill(PID), 0);
    expect_nothing();
    CHECK(!find_task(GUEST_PID) && !find_task(GUEST_PID + 1));
    expect_empty();
}

TEST(guest_is_sent_a_signal) {
    START_GUEST("S", NOP "S");
    run_on();
    interrupt();
    resume(GUEST_PID, LINUX_CONTINUE, SIGUSR1);
    expect_nothing();
    CHECK_EQ(delivered(GUEST_PID, SIGUSR1), 1);
}

TEST(guests_end_is_a_threads) {
    GUEST_AT_TRAP("S", NOP NOP NOP QUIT);
    run_on();
    CHECK_EQ(thread_count(), 1);
    CHECK(!find_task(GUEST_PID));
    CHECK_EQ(linux_running(), 1);
}

TEST(guest_that_executes_a_program_is_let_go) {
    GUEST_AT_TRAP("S", NOP NOP NOP EXEC);
    run_on();
    CHECK_EQ(thread_count(), 1);
    CHECK(!task(GUEST_PID)->traced);
    CHECK_EQ(task(GUEST_PID)->state, TASK_RUNS);
    CHECK_EQ(code_at(PID, GUEST_TRAP), OP_TRAP);
    CHECK(!find_process(GUEST_PID));
}

TEST(guest_with_threads_that_executes_a_program_is_let_go) {
    GUEST_AT_TRAP("S", NOP NOP NOP CLONE EXEC);
    PUT(PID, CHILD, "S");
    run_on();
    CHECK_EQ(thread_count(), 1);
    CHECK(!task(GUEST_PID)->traced);
    CHECK(!find_task(GUEST_PID + 1));
}

TEST(guest_outlives_the_program) {
    START_GUEST(NOP NOP QUIT, NOP NOP NOP NOP NOP NOP NOP NOP NOP NOP CALL NOP QUIT);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXITED, 0);
    CHECK(!task(GUEST_PID)->traced);
    expect_empty();
}

TEST(guest_outlives_the_program_and_meets_its_trap) {
    START_GUEST(QUIT, NOP NOP NOP NOP NOP NOP NOP NOP NOP QUIT);
    plant(PID, CHILD + 8);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXITED, 0);
    CHECK(!task(GUEST_PID)->traced);
    CHECK_EQ(code_at(GUEST_PID, CHILD + 8), OP_NOP);
    expect_empty();
}

TEST(guest_stays_behind_when_the_program_executes_another) {
    configure(report_execs);
    START_GUEST(EXEC, NOP NOP NOP NOP NOP NOP NOP NOP NOP QUIT);
    plant(PID, CHILD + 8);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_EXEC, SIGTRAP);
    CHECK_EQ(thread_count(), 1);
    run_on();
    CHECK_EQ(delivered(GUEST_PID, SIGTRAP), 0);
    CHECK(!find_task(GUEST_PID));
    CHECK_EQ(thread_count(), 1);
}

TEST(guest_is_let_go_with_the_program) {
    GUEST_AT_TRAP("S", NOP NOP NOP "S");
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK(!task(PID)->traced && !task(GUEST_PID)->traced);
    CHECK_EQ(code_at(PID, GUEST_TRAP), OP_NOP);
    expect_empty();
}

TEST(guest_is_left_stopped_with_the_program) {
    GUEST_AT_TRAP("S", NOP NOP NOP "S");
    CHECK_EQ(linux_detach(PID, 1), 0);
    CHECK_EQ(task(PID)->group->pending[0].si_signo, SIGSTOP);
    CHECK_EQ(task(GUEST_PID)->group->pending[0].si_signo, SIGSTOP);
    expect_empty();
}

TEST(guest_is_killed_with_the_program) {
    GUEST_AT_TRAP("S", NOP NOP NOP "S");
    CHECK_EQ(linux_kill(PID), 0);
    expect_nothing();
    CHECK(!find_task(PID) && !find_task(GUEST_PID));
    expect_empty();
}

/* The events of the next stop, which others need not join. */
static int next_events(void) {
    int count = 0;
    for (int i = 0; i < 60 && !count; i++)
        count = linux_wait(stops, MAX_STOPS, 0, 0);
    return count;
}

TEST(guest_stops_by_itself_and_outlives_the_program) {
    START_GUEST("S", NOP NOP NOP NOP "S");
    plant(PID, GUEST_TRAP);
    linux_set_scope(LINUX_SCOPE_THREAD);
    RESUME_ALL();
    expect_stop(next_events(), GUEST_PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK(find_thread(PID)->state == THREAD_RUNNING);
    kill_group(PID);
    expect_stop(next_events(), PID, LINUX_STOP_KILLED, SIGKILL);
    CHECK(!task(GUEST_PID)->traced);
    CHECK_EQ(code_at(GUEST_PID, GUEST_TRAP), OP_NOP);
    expect_empty();
}

TEST(running_guest_is_let_go_when_the_program_ends) {
    START_GUEST("S", NOP NOP NOP NOP "S");
    plant(PID, CHILD + 0x20);
    linux_set_scope(LINUX_SCOPE_THREAD);
    RESUME_ALL();
    expect_nothing();
    kill_group(PID);
    expect_stop(next_events(), PID, LINUX_STOP_KILLED, SIGKILL);
    CHECK(!task(GUEST_PID)->traced);
    CHECK_EQ(task(GUEST_PID)->state, TASK_RUNS);
    expect_empty();
}
