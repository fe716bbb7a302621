/* Conditions of breakpoints: what is false is never told, and nobody slips past. */
#include "test_linux.h"

static void set_condition(uint64_t address, const char *code, int size) {
    const linux_register rip = {1, 16 * 8, 8};
    int32_t length = size;
    CHECK_EQ(linux_set_registers(PID, &rip, 1), 0);
    CHECK_EQ(linux_set_program(PID, address, 0, (const uint8_t *)code, &length, 1, 0, 0), 0);
}
#define CONDITION(address, code) set_condition(address, code, (int)sizeof(code) - 1)
#define IS_FALSE "\x22\x00\x27"
#define IS_TRUE "\x22\x01\x27"

static void false_for_ever(int threads, int slots) {
    attach_with_room(threads, NOP NOP NOP "J", slots);
    CONDITION(TRAP_PLACE, IS_FALSE);
    plant(PID, TRAP_PLACE);
    guarded = TRAP_PLACE;
    run_on();
    CHECK(traps_taken >= 2 * threads);
    CHECK_EQ(slipped, 0);
    CHECK_EQ(linux_running(), threads);
}

TEST(false_condition_never_stops) {
    false_for_ever(1, 1);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 0);
    interrupt();
}

TEST(false_condition_in_eight_threads) {
    false_for_ever(8, 1);
    CHECK_EQ(requests[PTRACE_SINGLESTEP] + requests[PTRACE_INTERRUPT], 8); /* linux_attach */
}

TEST(false_condition_in_eight_threads_without_slots) {
    false_for_ever(8, 0);
    CHECK(requests[PTRACE_SINGLESTEP] > 0);
}

/* Each that stops by itself meanwhile is met where the client would have it. */
TEST(interrupted_among_false_conditions) {
    false_for_ever(6, 1);
    for (int round = 0; round < 30; round++) {
        linux_interrupt(PID + round % 6);
        expect_only(PID + round % 6, LINUX_STOP_INTERRUPT, 0);
        for (int i = 0; i < 6; i++)
            CHECK(task(PID + i)->registers.rip < ROOM);
        RESUME_ALL();
        linux_wait(stops, MAX_STOPS, 0, 0);
    }
    CHECK_EQ(slipped, 0);
}

TEST(false_condition_at_a_trap_of_the_programs_own) {
    attach_with_room(1, NOP TRAP NOP NOP "S", 1);
    CONDITION(TRAP_PLACE, IS_FALSE);
    plant(PID, TRAP_PLACE);
    RESUME_ALL();
    expect_nothing();
    CHECK_EQ(task(PID)->registers.rip, START + 4);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

TEST(step_from_a_trap_of_the_programs_own) {
    attach_with_room(1, TRAP NOP NOP "S", 1);
    CONDITION(START, IS_FALSE);
    plant(PID, START);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 1);
}

TEST(condition_sees_the_pc_of_the_trap) {
    attach_with_room(1, WALK, 1);
    plant(PID, TRAP_PLACE);
    plant(PID, TRAP_PLACE + 2);
    CONDITION(TRAP_PLACE, "\x26\x00\x00\x23\x10\x02\x13\x27"); /* rip == 0x1002 */
    CONDITION(TRAP_PLACE + 2, "\x26\x00\x00\x23\x10\x03\x13\x27");
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 2);
    CHECK_EQ(stops[0].failure, 0);
}

TEST(failing_condition_stops) {
    attach_with_room(1, WALK, 1);
    plant(PID, TRAP_PLACE);
    CONDITION(TRAP_PLACE, "\x24\x00\x10\x00\x00\x19\x27");
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK(stops[0].failure != 0);
    CHECK_EQ(stops[0].failed_at, 0x100000);
    CONDITION(TRAP_PLACE, IS_TRUE);
    set_pc(PID, START);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].failure, 0);
}

TEST(unsound_condition_is_refused) {
    int32_t length = 2;
    attach_to(1, WALK);
    CHECK(linux_set_program(PID, START, 0, (const uint8_t *)"\x02\x27", &length, 1, 0, 0) < 0);
    CHECK(linux_set_program(PID, START, 0, (const uint8_t *)"\x26\x00", &length, 1, 0, 0) < 0);
    CHECK(linux_set_program(PID + 7, START, 0, NULL, NULL, 0, 0, 0) < 0);
    CHECK_EQ(find_process(PID)->point_count, 0);
}

TEST(false_condition_ends_a_step_behind_it) {
    attach_with_room(1, WALK, 1);
    plant(PID, TRAP_PLACE);
    CONDITION(TRAP_PLACE, IS_FALSE);
    set_pc(PID, TRAP_PLACE);
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
}
