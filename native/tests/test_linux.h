/* What the tests of the Linux tracer share. Each runs in a process of its own. */
#ifndef PYDBGSERVER_TEST_LINUX_H
#define PYDBGSERVER_TEST_LINUX_H

#include "scripted_kernel.h"

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};
extern struct test *tests;

#define TEST(topic)                                                         \
    static void topic(void);                                                \
    static struct test test_##topic = {#topic, topic, NULL};                \
    __attribute__((constructor)) static void add_##topic(void) {            \
        test_##topic.next = tests;                                          \
        tests = &test_##topic;                                              \
    }                                                                       \
    static void topic(void)

/* A walk past the place that most tests plant their trap at, and where slots may be. */
#define WALK NOP NOP NOP NOP "S"
#define TRAP_PLACE (START + 1)
#define ROOM 0x1800

#define MAX_STOPS 16
extern linux_stop stops[MAX_STOPS];

/* linux_attach of make_process(PID, threads), all at START with `code` there. */
void attach_to(int threads, const char *code);
/* The same with room for so many slots. */
void attach_with_room(int threads, const char *code, int slots);
void plant(pid_t pid, uint64_t address);
void resume(pid_t tid, int kind, int signal);
#define RESUME_ALL() resume(-1, LINUX_CONTINUE, 0)
/* Plants the trap at TRAP_PLACE, which PID's one thread meets. */
void hit_trap(void);
/* Everything, and nothing is reported. */
void run_on(void);
/* The client's, of PID's one thread. */
void interrupt(void);
void set_pc(pid_t tid, uint64_t pc);
/* One system call of that width run by PID's first thread from `instruction`; the result of linux_inject_syscall. */
int inject(pid_t tid, uint64_t instruction, int width, uint64_t *result);
/* The number of events of the next complete stop; fails the test when none comes. */
int wait_stop(void);
/* Nothing may be reported now. */
void expect_nothing(void);
const linux_stop *stop_of(int count, pid_t tid);
void expect_stop(int count, pid_t tid, int kind, int signal);
/* The one event of the next stop. */
void expect_only(pid_t tid, int kind, int signal);
void configure(void (*change)(linux_options *options));
void pass_usr1(linux_options *options);
void report_execs(linux_options *options);
/* Nothing is traced any more, and the tracer knows of nothing. */
void expect_empty(void);

#endif
