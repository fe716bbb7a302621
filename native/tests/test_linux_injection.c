/* System calls and registers that the client has the program change. */
#include "test_linux.h"

TEST(injected_system_call_leaves_no_trace) {
    attach_to(1, NOP CALL "S");
    RESUME_ALL();
    send_signal(PID, SIGUSR1, 6);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR1);
    task(PID)->mask = 1ull << (SIGHUP - 1);
    task(PID)->trap_pending = true; /* a late interrupt */
    send_signal(PID, SIGUSR2, 7);
    struct user_regs_struct before = task(PID)->registers;
    uint64_t result = 0;
    CHECK_EQ(inject(PID, START + 1, 8, &result), 0);
    CHECK_EQ(result, CALL_RESULT);
    CHECK(!__builtin_memcmp(&before, &task(PID)->registers, sizeof before));
    CHECK_EQ(task(PID)->mask, 1ull << (SIGHUP - 1));
    resume(-1, LINUX_CONTINUE, SIGUSR1);
    expect_only(PID, LINUX_STOP_SIGNAL, SIGUSR2);
    CHECK_EQ(delivered(PID, SIGUSR1), 1);
    CHECK_EQ(deliveries[0].value, 6);
}

TEST(injected_system_call_takes_the_width_it_is_given) {
    attach_to(1, NOP CALL "S");
    uint64_t result = 0;
    CHECK_EQ(inject(PID, START + 1, 2, &result), 0);
    CHECK_EQ(result, CALL_RESULT);
    CHECK_EQ(inject(PID, START + 1, 1, &result), 0);
    CHECK_EQ(result, CALL_RESULT & 0xff);
}

TEST(injected_system_call_stays_within_the_registers) {
    attach_to(1, NOP CALL "S");
    linux_syscall calls[] = {{.width = 0}, {.width = 9}, {.width = 8, .count = 7}, {.width = 8, .count = -1},
                             {.width = 8, .number_offset = sizeof(struct user_regs_struct) - 7},
                             {.width = 8, .result_offset = ~0u}, {.width = 4, .restart_offset = 1u << 31},
                             {.width = 8, .count = 1, .argument_offsets = {256}}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        CHECK_EQ(linux_inject_syscall(PID, &calls[i]), -22);
}

/* arch/x86/kernel/signal.c, syscall_get_error: the whole of rax is looked at. */
TEST(the_low_half_of_rax_is_written_sign_extended_in_32_bit_code) {
    attach_to(1, "S");
    struct user_regs_struct registers = task(PID)->registers;
    registers.rax = 0xfffffe00; /* -ERESTARTSYS in eax */
    registers.cs = 0x23;
    CHECK_EQ(linux_write_regset(PID, 1, (const uint8_t *)&registers, sizeof registers), sizeof registers);
    CHECK_EQ(task(PID)->registers.rax, -512);
    registers.cs = 0x33;
    CHECK_EQ(linux_write_regset(PID, 1, (const uint8_t *)&registers, sizeof registers), sizeof registers);
    CHECK_EQ(task(PID)->registers.rax, 0xfffffe00);
}
