/* Leaving a trap by a slot: the instruction is executed elsewhere, and nobody is ever seen there. */
#include "test_linux.h"

/* Onwards from the trap, past it, until somebody asks. */
static void hit_and_run_on(void) {
    hit_trap();
    run_on();
}

TEST(slot_instead_of_a_step) {
    attach_with_room(1, WALK, 2);
    hit_and_run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 4);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 0);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
    CHECK_EQ(code_at(PID, ROOM), OP_NOP);
    CHECK_EQ(code_at(PID, ROOM + 1), OP_JUMP);
}

TEST(slot_is_hidden_and_taken_out) {
    attach_with_room(1, WALK, 1);
    hit_and_run_on();
    uint8_t seen[PATCH_MAX];
    CHECK_EQ(linux_read_memory(PID, ROOM, seen, sizeof seen), sizeof seen);
    CHECK_EQ(seen[0], OP_SPIN);
    CHECK_EQ(linux_remove_trap(PID, ROOM), 0);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(code_at(PID, ROOM), OP_SPIN);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_NOP);
}

TEST(step_in_a_slot) {
    attach_with_room(1, WALK, 1);
    hit_trap();
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 1);
}

TEST(range_step_through_a_slot) {
    attach_with_room(1, WALK, 1);
    hit_trap();
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 3};
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 3);
}

/* The instruction below the trap never ends: whoever stops in the slot is seen at the trap. */
TEST(stopped_in_a_slot) {
    attach_with_room(1, NOP "S", 1);
    hit_and_run_on();
    CHECK_EQ(task(PID)->registers.rip, ROOM);
    interrupt();
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
    CHECK_EQ(task(PID)->registers.rip, TRAP_PLACE);
    run_on();
    CHECK_EQ(traps_taken, 1);
    CHECK_EQ(linux_detach(PID, 0), 0);
    CHECK_EQ(task(PID)->registers.rip, TRAP_PLACE);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_SPIN);
}

/* One quantum of the scripted kernel is longer than a slot: the thread stops between its two instructions. */
TEST(stopped_before_the_jump_back) {
    attach_with_room(1, WALK, 1);
    hit_trap();
    RESUME_ALL();
    task(PID)->registers.rip = ROOM + 1;
    task(PID)->trap_pending = true;
    task(PID)->slow = false;
    interrupt();
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    CHECK_EQ(traps_taken, 1);
}

static void pass_both(linux_options *options) {
    options->pass_signals = 1ull << (SIGUSR1 - 1) | 1ull << (SIGSEGV - 1);
}

/* A signal that comes before the moved instruction is delivered after it, and the trap is not hit once more. */
TEST(passed_signal_at_the_beginning_of_a_slot) {
    configure(pass_both);
    attach_with_room(2, WALK, 1);
    task(PID + 1)->registers.rip = START + 2;
    hit_trap();
    send_signal(PID, SIGUSR1, 77);
    run_on();
    CHECK_EQ(delivered(PID, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 77);
    CHECK_EQ(traps_taken, 1);
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

TEST(reported_signal_at_the_beginning_of_a_slot) {
    attach_with_room(1, WALK, 1);
    hit_trap();
    send_signal(PID, SIGUSR2, 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR2);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
    run_on();
    CHECK_EQ(traps_taken, 1);
}

static void fault_in_slot(void) {
    attach_with_room(1, NOP "GGS", 1);
    hit_trap();
    RESUME_ALL();
}

TEST(fault_in_a_slot_is_reported_at_the_trap) {
    fault_in_slot();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSEGV);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
}

/* The client wants it passed, and it is no fault of the trap. */
TEST(passed_fault_at_a_trap_goes_to_the_handler) {
    configure(pass_both);
    attach_with_room(1, NOP "GGS", 1);
    hit_trap();
    RESUME_ALL();
    for (int i = 0; i < 20 && !delivered(PID, SIGSEGV); i++)
        if (linux_wait(stops, MAX_STOPS, 0, 0)) /* the trap is hit once more when the handler returns */
            CHECK_EQ(stops[0].kind, LINUX_STOP_BREAKPOINT);
    CHECK(delivered(PID, SIGSEGV));
}

TEST(passed_fault_of_a_stepped_instruction) {
    configure(pass_both);
    attach_with_room(1, NOP "GGS", 0);
    hit_trap();
    RESUME_ALL();
    for (int i = 0; i < 20 && !delivered(PID, SIGSEGV); i++)
        if (linux_wait(stops, MAX_STOPS, 0, 0))
            CHECK_EQ(stops[0].kind, LINUX_STOP_BREAKPOINT);
    CHECK(delivered(PID, SIGSEGV));
}

TEST(eight_threads_in_slots_of_one_trap) {
    attach_with_room(8, NOP NOP NOP "J", 1);
    plant(PID, TRAP_PLACE);
    guarded = TRAP_PLACE;
    int hits = 0;
    for (int round = 0; round < 60; round++) {
        RESUME_ALL();
        int count = wait_stop();
        for (int i = 0; i < count; i++) {
            CHECK_EQ(stops[i].kind, LINUX_STOP_BREAKPOINT);
            CHECK_EQ(stops[i].pc, TRAP_PLACE);
        }
        hits += count;
        youngest_first = round % 3 == 0;
    }
    CHECK_EQ(hits, traps_taken);
    CHECK_EQ(slipped, 0);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 0);
}

/* A second trap takes another slot; without room it is stepped over. */
TEST(no_room_for_a_second_slot) {
    attach_with_room(1, WALK, 1);
    plant(PID, TRAP_PLACE + 1);
    hit_trap();
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    run_on();
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 1);
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

TEST(slot_of_a_removed_trap_is_used_again) {
    attach_with_room(1, WALK, 1);
    hit_and_run_on();
    interrupt();
    CHECK_EQ(linux_remove_trap(PID, TRAP_PLACE), 1);
    set_pc(PID, START);
    plant(PID, TRAP_PLACE + 1);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    run_on();
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 0);
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

TEST(slot_that_somebody_wrote_over_is_made_anew) {
    attach_with_room(1, WALK, 1);
    hit_and_run_on();
    interrupt();
    CHECK_EQ(linux_remove_trap(PID, TRAP_PLACE), 1);
    PUT(PID, ROOM, "GGGG");
    set_pc(PID, START);
    hit_and_run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 4);
}

TEST(instruction_changed_by_the_client) {
    attach_with_room(1, WALK, 1);
    hit_and_run_on();
    interrupt();
    set_pc(PID, START);
    CHECK_EQ(linux_write_memory(PID, TRAP_PLACE, (const uint8_t *)"G", 1), 1);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSEGV);
}

/* e9: carried out without running anything. */
TEST(jump_below_a_trap) {
    attach_with_room(1, NOP "\xe9\x03\0\0\0GGG" NOP "S", 1);
    put_code(PID, START, NOP "\xe9\x03\0\0\0GGG" NOP "S", 11);
    hit_and_run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 10);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 0);
    CHECK_EQ(code_at(PID, ROOM), OP_SPIN);
}

TEST(step_over_a_jump_below_a_trap) {
    attach_with_room(1, NOP, 1);
    put_code(PID, START, NOP "\xe9\x03\0\0\0GGG" NOP "S", 11);
    hit_trap();
    resume(PID, LINUX_STEP, 0);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 9);
}

/* nop, jmp +2, two bytes that fault, nop, jmp out of the range */
TEST(range_step_carries_jumps_out) {
    attach_to(1, NOP);
    put_code(PID, START, NOP "\xe9\x02\0\0\0GG" NOP NOP "\xe9\x02\0\0\0GGS", 18);
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 15};
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_STEP, SIGTRAP);
    CHECK_EQ(stops[0].pc, START + 17);
    CHECK_EQ(task(PID)->registers.rip, START + 17);
    CHECK_EQ(requests[PTRACE_SINGLESTEP], 3);
}

TEST(range_step_meets_a_trap_on_a_jump) {
    attach_to(1, NOP);
    put_code(PID, START, NOP "\xe9\x02\0\0\0GG" NOP "S", 10);
    plant(PID, TRAP_PLACE);
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 9};
    linux_resume(&action, 1);
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
}

/* A jump to itself does not keep the tracer. */
TEST(range_step_on_a_jump_to_itself) {
    attach_to(1, NOP);
    put_code(PID, START, NOP "\xe9\xfb\xff\xff\xff", 6);
    linux_action action = {-1, PID, LINUX_RANGE_STEP, 0, START, START + 6};
    linux_resume(&action, 1);
    expect_nothing();
    interrupt();
    CHECK_EQ(stops[0].pc, START + 1);
}

TEST(fork_with_a_slot) {
    attach_with_room(1, WALK, 1);
    PUT(PID, CHILD, FORK "S");
    hit_and_run_on();
    interrupt();
    set_pc(PID, CHILD);
    run_on();
    CHECK(!task(PID + 1000)->traced);
    CHECK_EQ(code_at(PID + 1000, ROOM), OP_SPIN);
    CHECK_EQ(code_at(PID + 1000, TRAP_PLACE), OP_NOP);
    CHECK_EQ(code_at(PID, ROOM), OP_NOP);
}

TEST(exec_forgets_slots) {
    linux_configure(&(linux_options){0});
    attach_with_room(1, WALK, 1);
    PUT(PID, CHILD, EXEC);
    hit_and_run_on();
    interrupt();
    set_pc(PID, CHILD);
    run_on();
    CHECK_EQ(find_process(PID)->traps.count, 0);
    CHECK_EQ(code_at(PID, ROOM), OP_SPIN);
}

TEST(killed_in_a_slot) {
    attach_with_room(2, NOP "S", 1);
    task(PID + 1)->registers.rip = CHILD;
    hit_and_run_on();
    kill_group(PID);
    expect_only(PID, LINUX_STOP_KILLED, SIGKILL);
    expect_empty();
}

/* --- signals and the program's own traps during a step over ------------------------- */

TEST(own_trap_instruction_below_a_trap) {
    attach_with_room(1, NOP TRAP NOP "S", 1);
    hit_trap();
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE + 1);
    run_on();
    CHECK_EQ(task(PID)->registers.rip, START + 3);
    CHECK_EQ(code_at(PID, TRAP_PLACE), OP_TRAP);
}

static void send_three(long request, pid_t tid) {
    if (request != PTRACE_SINGLESTEP)
        return;
    before_ptrace = NULL;
    for (int i = 0; i < 3; i++)
        send_signal(tid, (int[]){SIGUSR2, SIGHUP, SIGURG}[i], 100 + i);
}

/* Each is reported once, with what belongs to it, and delivered with that. */
TEST(signals_during_the_step_over_keep_their_siginfo) {
    attach_with_room(1, WALK, 0);
    hit_trap();
    before_ptrace = send_three;
    RESUME_ALL();
    for (int i = 0; i < 3; i++) {
        siginfo_t info;
        CHECK_EQ(wait_stop(), 1);
        CHECK_EQ(stops[0].kind, LINUX_STOP_SIGNAL);
        CHECK_EQ(linux_read_siginfo(PID, (uint8_t *)&info), 128);
        CHECK_EQ(info.si_signo, stops[0].signal);
        CHECK(info.si_int >= 100);
        resume(-1, LINUX_CONTINUE, stops[0].signal);
    }
    expect_nothing();
    CHECK_EQ(delivery_count, 3);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(deliveries[i].value, deliveries[i].signal == SIGUSR2 ? 100 : deliveries[i].signal == SIGHUP ? 101 : 102);
    CHECK_EQ(traps_taken, 1);
}

/* A called function returns to a trap on a stack that may not be executed: that is the client's own doing. */
TEST(fault_of_the_trap_itself_is_reported_though_it_is_passed) {
    configure(pass_both);
    attach_with_room(1, WALK, 1);
    plant(PID, TRAP_PLACE);
    set_pc(PID, TRAP_PLACE);
    send_signal(PID, SIGSEGV, 0);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_SIGNAL, SIGSEGV);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
    CHECK_EQ(delivered(PID, SIGSEGV), 0);
}
