/* Tests of the Linux tracer against a scripted kernel, for running under ASan and UBSan.
 * `test_linux NAME` runs one; without a name they are listed. */
#include "test_linux.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/user.h>
#include <unistd.h>

struct test *tests;
linux_stop stops[MAX_STOPS];

void attach_to(int threads, const char *code) {
    make_process(PID, threads);
    put_code(PID, START, code, (int)strlen(code));
    CHECK_EQ(linux_attach(PID), threads);
}

void plant(pid_t pid, uint64_t address) {
    static const uint8_t code[] = {OP_TRAP};
    CHECK_EQ(linux_insert_trap(pid, address, code, 1, 1), 0);
}

void resume(pid_t tid, int kind, int signal) {
    linux_action action = {-1, tid, kind, signal, 0, 0};
    linux_resume(&action, 1);
}

#define AT(name) offsetof(struct user_regs_struct, name)

int inject(pid_t tid, uint64_t instruction, int width, uint64_t *result) {
    linux_syscall call = {instruction, 39, {1, 2, 3, 4, 5, 6}, 0, AT(rax), AT(rax), AT(orig_rax),
                          {AT(rdi), AT(rsi), AT(rdx), AT(r10), AT(r8), AT(r9)}, 6, width};
    int error = linux_inject_syscall(tid, &call);
    *result = call.result;
    return error;
}

static int try_wait(int rounds) {
    int count = 0;
    for (int i = 0; i < rounds && !count; i++)
        count = linux_wait(stops, MAX_STOPS, 0, 0);
    CHECK(count >= 0 && count <= MAX_STOPS);
    return count;
}

int wait_stop(void) {
    int count = try_wait(60);
    if (!count)
        broken(__FILE__, __LINE__, "no stop is reported");
    for EACH_PROCESS (process)
        for EACH_THREAD (thread, process)
            if (thread->state == THREAD_RUNNING)
                broken(__FILE__, __LINE__, "thread %d still runs", (int)thread->tid);
    return count;
}

void expect_nothing(void) {
    if (try_wait(20))
        broken(__FILE__, __LINE__, "an unexpected stop: thread %d kind %d signal %d", stops[0].tid, stops[0].kind,
               stops[0].signal);
}

const linux_stop *stop_of(int count, pid_t tid) {
    const linux_stop *found = NULL;
    for (int i = 0; i < count; i++)
        if (stops[i].tid == tid) {
            CHECK(!found);
            found = &stops[i];
        }
    if (!found)
        broken(__FILE__, __LINE__, "no stop of thread %d among %d, the first is of %d", (int)tid, count, stops[0].tid);
    return found;
}

void expect_stop(int count, pid_t tid, int kind, int signal) {
    const linux_stop *stop = stop_of(count, tid);
    CHECK_EQ(stop->kind, kind);
    CHECK_EQ(stop->signal, signal);
}

void expect_only(pid_t tid, int kind, int signal) {
    CHECK_EQ(wait_stop(), 1);
    expect_stop(1, tid, kind, signal);
}

void attach_with_room(int threads, const char *code, int slots) {
    padding_start = ROOM;
    padding_end = ROOM + (uint64_t)slots * PATCH_MAX;
    attach_to(threads, code);
}

void hit_trap(void) {
    plant(PID, TRAP_PLACE);
    RESUME_ALL();
    expect_only(PID, LINUX_STOP_BREAKPOINT, SIGTRAP);
    CHECK_EQ(stops[0].pc, TRAP_PLACE);
}

void run_on(void) {
    RESUME_ALL();
    expect_nothing();
}

void interrupt(void) {
    linux_interrupt(PID);
    expect_only(PID, LINUX_STOP_INTERRUPT, 0);
}

void set_pc(pid_t tid, uint64_t pc) {
    struct user_regs_struct registers = task(tid)->registers;
    registers.rip = pc;
    CHECK(linux_write_regset(tid, 1, (uint8_t *)&registers, sizeof registers) > 0);
}

void pass_usr1(linux_options *options) {
    options->pass_signals = 1ull << (SIGUSR1 - 1);
}

void report_execs(linux_options *options) {
    options->report_execs = 1;
}

void configure(void (*change)(linux_options *options)) {
    linux_options options = {.program_signals = ~0ull};
    change(&options);
    linux_configure(&options);
}

void expect_empty(void) {
    for EACH_PROCESS (process)
        broken(__FILE__, __LINE__, "process %d is still known", (int)process->pid);
    CHECK_EQ(linux_running(), 0);
    CHECK(!tracer.running_list);
}

static void on_alarm(int number) {
    broken(__FILE__, __LINE__, "the time is over (signal %d)", number);
}

int main(int count, char **arguments) {
    for (struct test *test = tests; test; test = test->next) {
        if (count < 2) {
            puts(test->name);
        } else if (strcmp(test->name, arguments[1]) == 0) {
            signal(SIGALRM, on_alarm);
            alarm(30);
            start_kernel();
            test->run();
            puts("passed");
            return 0;
        }
    }
    return count < 2 ? 0 : 2;
}
