/* SIGKILL at every point: the Nth ptrace request finds its process killed (ESRCH). Whatever N is,
 * nothing hangs, nothing is touched after it was freed, and in the end nothing is left. */
#include "test_linux.h"

#include <stdio.h>
#include <string.h>

static void report_all(linux_options *options) {
    options->report_forks = options->report_vforks = options->report_execs = options->report_threads = 1;
}

static void report_nothing(linux_options *options) {
    options->report_execs = 0;
}

static void unattended(linux_options *options) {
    options->unattended = 1;
}

/* Resumes and waits for a few stops; half of the time with an interrupt, a signal or a step in between. */
static void debug_for_a_while(pid_t pid) {
    static const int kinds[] = {LINUX_CONTINUE, LINUX_STEP, LINUX_CONTINUE, LINUX_RANGE_STEP};
    for (int turn = 0; turn < 12 && tracer.processes; turn++) {
        linux_action actions[] = {{-1, pid + turn % 3, kinds[turn % 4], 0, START, START + 4},
                                  {-1, -1, LINUX_CONTINUE, turn % 5 == 4 ? SIGUSR2 : 0, 0, 0}};
        linux_resume(actions, 2);
        int count = linux_wait(stops, MAX_STOPS, 0, 0);
        if (turn % 3 == 1 && find_task(pid + 1) && find_task(pid + 1)->pending_count < 8)
            send_signal(pid + 1, SIGUSR1, turn);
        if (!count)
            linux_interrupt(pid);
        for (int i = 0; i < 40 && !count && linux_running(); i++)
            count = linux_wait(stops, MAX_STOPS, 0, 0);
        uint64_t result;
        if (turn == 5)
            inject(pid, CHILD + 0x80, 8, &result);
    }
}

static void clean_up(void) {
    fail_at = 0;
    for (int i = 0; i < 60 && linux_running(); i++) {
        linux_interrupt(0);
        linux_wait(stops, MAX_STOPS, 0, 0);
    }
    for (int i = 0; i < 8 && tracer.processes; i++)
        linux_kill(tracer.processes->pid);
    linux_wait(stops, MAX_STOPS, 0, 0);
    expect_empty();
    CHECK_EQ(forget_tasks(), 0); /* not even one that the tracer does not know */
}

struct story {
    const char *code, *child;
    void (*options)(linux_options *);
};

static const struct story stories[] = {
    {NOP NOP NOP NOP NOP "J", "S", report_all},
    {NOP NOP NOP NOP NOP "J", "S", unattended},
    {NOP CALL NOP CLONE NOP "S", NOP EXIT, report_all},
    {NOP NOP CLONE NOP "S", NOP "S", report_nothing},
    {NOP NOP FORK NOP "S", NOP "S", report_all},
    {NOP FORK NOP "S", NOP "S", report_nothing},
    {NOP NOP VFORK NOP "S", NOP NOP EXEC, report_all},
    {NOP NOP VFORK NOP "S", NOP NOP NOP QUIT, report_nothing},
    {NOP NOP SHARE NOP "S", NOP NOP NOP EXEC, report_nothing},
    {NOP NOP GUEST NOP "S", NOP CALL NOP EXEC, report_all},
    {NOP GUEST NOP QUIT, NOP NOP CALL "S", report_nothing},
    {NOP GUEST NOP EXEC, NOP NOP QUIT, report_all},
    {NOP NOP EXEC, "S", report_all},
    {NOP EXEC, "S", report_nothing},
    {NOP NOP QUIT, "S", report_all},
    {NOP BLOCK NOP "S", "S", report_nothing},
};

static void tell(const struct story *story, pid_t pid, int fault) {
    configure(story->options);
    make_process(pid, 3);
    put_code(pid, START, story->code, (int)strlen(story->code));
    put_code(pid, CHILD, story->child, (int)strlen(story->child));
    PUT(pid, CHILD + 0x80, CALL);
    ptrace_calls = delivery_count = 0;
    fail_at = fault;
    if (linux_attach(pid) > 0) {
        const uint8_t code = OP_TRAP;
        linux_insert_trap(pid, START + 1, &code, 1, 1);
        linux_insert_trap(pid, CHILD, &code, 1, 1);
        debug_for_a_while(pid);
    }
    clean_up();
}

static void sweep(int first, int last) {
    pid_t pid = PID;
    for (int fault = first; fault <= last; fault++)
        for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
            for (int variant = 0; variant < 4; variant++) {
                youngest_first = variant & 1;
                quiet_deaths = variant & 2;
                pid += 5000;
                next_tid = pid + 1000;
                snprintf(where, sizeof where, "story %zu variant %d fault %d", i, variant, fault);
                tell(&stories[i], pid, fault);
            }
        }
}

/* Without a fault: that the stories themselves end well. */
TEST(stories_without_a_fault) {
    sweep(0, 0);
}

TEST(killed_at_any_request_up_to_60) {
    sweep(1, 60);
}

TEST(killed_at_any_request_up_to_200) {
    sweep(61, 200);
}
