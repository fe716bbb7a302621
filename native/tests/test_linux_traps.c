/* Planted traps: hits, and who stops for a step over. */
#include "test_linux.h"

#include <string.h>
#include <sys/wait.h>

static void unattended(linux_options *options) {
    options->unattended = 1;
}

TEST(trap_is_hit_and_stepped_over) {
    attach_to(1, WALK);
    hit_trap();
    CHECK_EQ(stops[0].value, TRAP_PLACE);
    run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 4);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
    uint8_t seen[4];
    CHECK_EQ(linux_read_memory(PID, START, seen, 4), 4);
    CHECK_EQ(seen[1], OP_NOP);
}

TEST(step_over_ends_a_step) {
    attach_to(1, WALK);
    hit_trap();
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

TEST(step_onto_a_trap_then_over_it) {
    attach_to(1, WALK);
    plant(PID, TRAP_PLACE);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
}

TEST(moved_away_from_the_trap) {
    attach_to(1, WALK);
    hit_trap();
    set_pc(PID, START);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(linux_remove_trap(PID, TRAP_PLACE), 1);
    run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

TEST(two_threads_hit_one_trap) {
    attach_to(2, WALK);
    plant(PID, TRAP_PLACE);
    RESUME_ALL();
    int count = wait_stop();
    CHECK_EQ(count, 2);
    expect_stop(count, PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    expect_stop(count, PID + 1, LINUX_STOP_BREAKPOINT, SIGTRAP);
    run_on();
    CHECK_EQ(traps_taken, 2);
    CHECK_EQ(task(PID)->registers.rip, START + 4);
    CHECK_EQ(task(PID + 1)->registers.rip, START + 4);
}

/* Every hit is reported once, and no thread slips through while the trap is out. */
static void go_round(int threads) {
    attach_to(threads, NOP NOP NOP "J");
    plant(PID, TRAP_PLACE);
    guarded = TRAP_PLACE;
    for (int i = 0; i < threads; i++)
        task(PID + i)->registers.rip = START + (uint64_t)(i % 2);
    int hits = 0;
    for (int round = 0; round < 40; round++) {
        RESUME_ALL();
        int count = wait_stop();
        for (int i = 0; i < count; i++)
            CHECK_EQ(stops[i].kind, LINUX_STOP_BREAKPOINT);
        hits += count;
        youngest_first = round % 3 == 0;
    }
    CHECK(hits >= 40);
    CHECK_EQ(hits, traps_taken);
    CHECK_EQ(slipped, 0);
}

TEST(three_threads_go_round_through_a_trap) {
    go_round(3);
}

TEST(eight_threads_go_round_through_a_trap) {
    go_round(8);
}

TEST(unattended_threads_are_quiesced_for_the_step) {
    attach_to(4, NOP NOP NOP "J");
    plant(PID, TRAP_PLACE);
    guarded = TRAP_PLACE;
    configure(unattended);
    run_on();
    CHECK(traps_taken >= 8);
    CHECK_EQ(slipped, 0);
    CHECK_EQ(linux_running(), 4);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

static void everything(linux_options *options) {
    options->report_forks = options->report_vforks = options->report_execs = options->report_threads = 1;
    options->unattended = 1;
}

/* Threads that are born while others are quiesced are held as well. */
static void clone_while_stepping(bool child_first) {
    attach_to(4, NOP NOP NOP "J");
    plant(PID, TRAP_PLACE);
    PUT(PID, CHILD, "J");
    PUT(PID, CHILD - 0x40, CLONE CLONE CLONE CLONE CLONE CLONE CLONE CLONE "J");
    task(PID)->registers.rip = CHILD - 0x40;
    guarded = TRAP_PLACE;
    configure(everything);
    youngest_first = child_first;
    run_on();
    CHECK(linux_running() >= (child_first ? 5 : 12)); /* the youngest, always hitting the trap, keep the parent waiting */
    CHECK_EQ(slipped, 0);
}

TEST(clone_while_stepping_unseen) {
    clone_while_stepping(false);
}

TEST(clone_while_stepping_unseen_child_first) {
    clone_while_stepping(true);
}

static void nobody_is_told(const char *code) {
    configure(everything);
    attach_to(2, NOP "S");
    PUT(PID, CHILD, NOP NOP QUIT);
    put_code(PID, CHILD + 0x20, code, (int)strlen(code));
    task(PID)->registers.rip = CHILD + 0x20;
    run_on();
    CHECK(linux_running() >= 2);
}

TEST(unattended_fork_is_not_reported) {
    nobody_is_told(FORK "S");
}

TEST(unattended_vfork_is_not_reported) {
    nobody_is_told(VFORK "S");
}

TEST(unattended_exec_is_not_reported) {
    configure(everything);
    attach_to(1, NOP EXEC);
    run_on();
}

TEST(unattended_thread_exit_is_not_reported) {
    configure(everything);
    attach_to(2, NOP "S");
    PUT(PID, CHILD, EXIT);
    task(PID + 1)->registers.rip = CHILD;
    run_on();
    CHECK(!find_task(PID + 1));
}

TEST(exec_while_quiesced_for_a_step) {
    attach_to(3, NOP NOP NOP "J");
    plant(PID, TRAP_PLACE);
    configure(unattended);
    for (int i = 0; i < 3; i++)
        task(PID + i)->slow = i != 2;
    task(PID)->registers.rip = CHILD;
    PUT(PID, CHILD, EXEC);
    RESUME_ALL();
    task(PID)->slow = false;
    task(PID + 2)->slow = true;
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* the first one enters execve */
    CHECK_EQ(task(PID)->state, TASK_EXECS);
    CHECK(task(PID + 2)->killed);
    expect_nothing();
    CHECK_EQ(linux_running(), 1);
}

/* The hit of one thread and the execve of another that runs come together. */
TEST(exec_takes_away_the_stepper) {
    attach_to(2, NOP NOP NOP "J");
    plant(PID, TRAP_PLACE);
    configure(unattended);
    PUT(PID, CHILD, EXEC);
    task(PID)->slow = true;
    RESUME_ALL();
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG); /* hits the trap */
    CHECK_EQ(task(PID + 1)->state, TASK_STOPS);
    int status;
    CHECK_EQ(kernel.waitpid(PID + 1, &status, __WALL | WNOHANG), PID + 1);
    task(PID)->slow = false;
    task(PID)->registers.rip = CHILD;
    kernel.waitpid(PID + 9, &(int){0}, __WALL | WNOHANG);
    CHECK_EQ(task(PID)->state, TASK_EXECS);
    handle_status(find_thread(PID + 1), status);
    expect_nothing();
    CHECK_EQ(linux_running(), 1);
    CHECK(!find_task(PID + 1));
}
