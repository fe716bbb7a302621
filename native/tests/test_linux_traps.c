/* Planted traps: hits, the step over, signals during it, ranges. */
#include "test_linux.h"

#include <string.h>
#include <sys/wait.h>


static void pass_usr1(linux_options *options) {
    options->pass_signals = 1ull << (SIGUSR1 - 1);
}

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

/* --- signals during the step over ---------------------------------------------- */

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

/* --- steps and ranges ------------------------------------------------------------- */

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
