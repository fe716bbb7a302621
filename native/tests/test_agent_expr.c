/* The checker and the interpreter of agent expressions under ASan and UBSan: whatever passes the check runs within its
 * buffers, and what is refused is refused in every exact-sized copy. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_expr.h"

#define REGISTERS 4
static const uint8_t SIZES[REGISTERS] = {8, 4, 1, 0};
static uint32_t seed = 1;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static uint8_t *exact(const uint8_t *code, int size)
{
    uint8_t *copy = malloc(size ? (size_t)size : 1);
    assert(copy);
    memcpy(copy, code, (size_t)size);
    return copy;
}

static int check(const uint8_t *code, int size, int wants_value)
{
    int32_t at;
    uint8_t *copy = exact(code, size);
    int result = agent_expr_check(copy, size, wants_value, SIZES, REGISTERS, &at);
    assert(result == AGENT_DONE || (result >= AGENT_CUT_SHORT && result <= AGENT_TOO_LARGE));
    assert(at >= 0 && at <= size);
    free(copy);
    return result;
}

/* Answers what is wanted with bytes that look like text and numbers. Now and then there are none, or too few. */
static int run_to_the_end(const uint8_t *code, int size, agent_run *run)
{
    uint8_t *copy = exact(code, size), *data = NULL;
    int got = 0, result;
    memset(run, 0, sizeof *run);
    for (;;) {
        result = agent_expr_run(copy, size, run, data, got);
        free(data);
        data = NULL;
        assert(run->depth >= 0 && run->depth <= AGENT_STACK && run->at >= 0 && run->at <= size);
        assert(run->text_size >= 0 && run->text_size <= AGENT_TEXT);
        if (result != AGENT_WANTS_REGISTER && result != AGENT_WANTS_MEMORY)
            break;
        got = result == AGENT_WANTS_REGISTER ? SIZES[run->address] : run->wanted;
        assert(got >= 1 && got <= AGENT_READ);
        if (next_random() % 50 == 0)
            got = (int)(next_random() % 3) - 1;
        data = exact((const uint8_t *)"", 0);
        if (got > 0) {
            data = realloc(data, (size_t)got);
            for (int i = 0; i < got; i++)
                data[i] = (uint8_t)(next_random() % 5 ? 'a' + next_random() % 26 : 0);
        }
    }
    assert(result == AGENT_DONE || result >= AGENT_DIVISION);
    free(copy);
    return result;
}

static int put_operand(uint8_t *code, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        code[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    return size;
}

/* Mostly known instructions with operands that often make sense. */
static int make(uint8_t *code, int room)
{
    static const char FORMATS[][12] = {"%d\\n", "\\12\\q", "%s|%5s", "x%%y", "%-8lx%c", "%llu %hhd", "%p", "%q", "%999d", "%.3s"};
    int size = 0;
    while (size + 24 < room) {
        uint8_t op = (uint8_t)(next_random() % 20 ? 1 + next_random() % 0x34 : next_random());
        code[size++] = op;
        if (op == OP_PRINTF) {
            const char *format = FORMATS[next_random() % (sizeof FORMATS / sizeof *FORMATS)];
            int length = (int)strlen(format) + 1;
            code[size++] = (uint8_t)(next_random() % 3);
            size += put_operand(code + size, (uint64_t)length, 2);
            memcpy(code + size, format, (size_t)length);
            size += length;
        } else if (op == OP_GOTO || op == OP_IF_GOTO) {
            size += put_operand(code + size, next_random() % (uint32_t)room, 2);
        } else if (op == OP_REG) {
            size += put_operand(code + size, next_random() % (REGISTERS + 1), 2);
        } else {
            for (int i = 0; i < agent_opcodes[op].operands; i++)
                code[size++] = (uint8_t)(next_random() % 4 ? next_random() % 70 : next_random());
        }
        if (op == OP_END && next_random() % 2)
            break;
    }
    return size;
}

static void test_generated(void)
{
    uint8_t code[256];
    agent_run run;
    int sound = 0;
    for (int round = 0; round < 400000; round++) {
        int size = make(code, 26 + (int)(next_random() % 100));
        for (int i = 0; i < 8; i++) /* something to take from the stack */
            if (size + 2 < (int)sizeof code) {
                memmove(code + 2, code, (size_t)size);
                code[0] = OP_CONST8;
                code[1] = (uint8_t)next_random();
                size += 2;
            }
        code[size++] = OP_END;
        if (check(code, size, round % 2) == AGENT_DONE) {
            sound++;
            run_to_the_end(code, size, &run);
        }
    }
    assert(sound > 4000);
}

static void test_garbage(void)
{
    uint8_t code[64];
    agent_run run;
    for (int round = 0; round < 200000; round++) {
        int size = (int)(next_random() % sizeof code);
        for (int i = 0; i < size; i++)
            code[i] = (uint8_t)(next_random() % 0x36);
        if (check(code, size, 1) == AGENT_DONE)
            run_to_the_end(code, size, &run);
    }
}

#define CHECKED(result, wants_value, ...)                                  \
    do {                                                                   \
        static const uint8_t code[] = {__VA_ARGS__};                       \
        assert(check(code, (int)sizeof code, wants_value) == (result));    \
    } while (0)

static void test_every_refusal(void)
{
    assert(check((const uint8_t *)"", 0, 1) == AGENT_CUT_SHORT);
    CHECKED(AGENT_DONE, 1, OP_CONST8, 1, OP_END);
    CHECKED(AGENT_CUT_SHORT, 1, OP_CONST8);
    CHECKED(AGENT_CUT_SHORT, 1, OP_CONST8, 1);
    CHECKED(AGENT_CUT_SHORT, 0, OP_CONST64, 1, 2, 3, 4, 5, 6, 7);
    CHECKED(AGENT_CUT_SHORT, 0, OP_PRINTF, 0, 0);
    CHECKED(AGENT_CUT_SHORT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 9, 'a', 0, OP_END);
    CHECKED(AGENT_UNKNOWN, 1, 0x00, OP_END);
    CHECKED(AGENT_UNKNOWN, 1, OP_CONST8, 1, 0x01, OP_END);
    CHECKED(AGENT_UNKNOWN, 1, OP_CONST8, 1, OP_END, 0xff);
    CHECKED(AGENT_JUMPS_OUT, 1, OP_CONST8, 1, OP_GOTO, 0, 6, OP_END);
    CHECKED(AGENT_JUMPS_OUT, 1, OP_CONST8, 1, OP_IF_GOTO, 0xff, 0xff, OP_END);
    CHECKED(AGENT_JUMPS_INTO, 1, OP_CONST8, 1, OP_GOTO, 0, 1, OP_END);
    CHECKED(AGENT_UNDERFLOW, 1, OP_ADD, OP_END);
    CHECKED(AGENT_UNDERFLOW, 1, OP_CONST8, 1, OP_PICK, 1, OP_END);
    CHECKED(AGENT_UNDERFLOW, 0, OP_CONST8, 1, OP_PRINTF, 0, 0, 1, 0, OP_END);
    CHECKED(AGENT_HEIGHTS, 1, OP_CONST8, 1, OP_DUP, OP_IF_GOTO, 0, 8, OP_CONST8, 1, OP_END);
    CHECKED(AGENT_HEIGHTS, 1, OP_CONST8, 1, OP_GOTO, 0, 0, OP_END);
    CHECKED(AGENT_ENDLESS, 1, OP_GOTO, 0, 0, OP_END);
    CHECKED(AGENT_ENDLESS, 1, OP_CONST8, 1, OP_IF_GOTO, 0, 8, OP_GOTO, 0, 5, OP_CONST8, 1, OP_END);
    CHECKED(AGENT_NO_VALUE, 1, OP_END);
    CHECKED(AGENT_DONE, 0, OP_END);
    CHECKED(AGENT_REGISTER, 1, OP_REG, 0, 3, OP_END);
    CHECKED(AGENT_REGISTER, 1, OP_REG, 0, 4, OP_END);
    CHECKED(AGENT_VARIABLE, 1, OP_GETV, 0, 1, OP_END);
    CHECKED(AGENT_FORMAT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 0, OP_END);
    CHECKED(AGENT_FORMAT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 1, 'x', OP_END);
    CHECKED(AGENT_FORMAT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 3, '%', 'd', 0, OP_END);
    CHECKED(AGENT_FORMAT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 3, '%', 'f', 0, OP_END);
    CHECKED(AGENT_FORMAT, 0, OP_CONST8, 0, OP_DUP, OP_PRINTF, 0, 0, 2, '%', 0, OP_END);
    uint8_t *large = calloc(1, AGENT_SIZE + 1);
    memset(large, OP_END, AGENT_SIZE + 1);
    assert(check(large, AGENT_SIZE + 1, 0) == AGENT_TOO_LARGE);
    assert(check(large, AGENT_SIZE, 0) == AGENT_DONE);
    memset(large, OP_CONST8, AGENT_SIZE);
    large[2 * AGENT_STACK] = OP_END;
    assert(check(large, 2 * AGENT_STACK + 1, 1) == AGENT_DONE);
    large[2 * AGENT_STACK] = OP_DUP;
    large[2 * AGENT_STACK + 1] = OP_END;
    assert(check(large, 2 * AGENT_STACK + 2, 1) == AGENT_OVERFLOW);
    free(large);
}

/* As many backward jumps as fit, each only reached by the one before: the check must not take the square of it long. */
static void test_chain_of_backward_jumps(void)
{
    uint8_t code[AGENT_SIZE];
    int last = (AGENT_SIZE - 4) / 3 * 3 - 3;
    for (int at = 0; at <= last; at += 3) {
        code[at] = OP_GOTO;
        put_operand(code + at + 1, (uint64_t)(at == 0 ? last : at == 3 ? last + 3 : at - 3), 2);
    }
    code[last + 3] = OP_END;
    assert(check(code, last + 4, 0) == AGENT_DONE);
}

static void test_a_loop_that_takes_too_long(void)
{
    static const uint8_t code[] = {OP_CONST8, 1, OP_IF_GOTO, 0, 0, OP_CONST8, 1, OP_END};
    agent_run run;
    assert(check(code, sizeof code, 1) == AGENT_DONE);
    assert(run_to_the_end(code, sizeof code, &run) == AGENT_TOO_LONG);
}

/* One string after another until there is no room: what is printed is cut off, and nothing else happens. */
static void test_more_text_than_fits(void)
{
    uint8_t code[2048] = {0};
    int size = 0;
    for (int i = 0; i < 60; i++) {
        static const uint8_t once[] = {OP_CONST8, 7, OP_CONST8, 0, OP_DUP, OP_PRINTF, 1, 0, 6, '%', '9', '0', '0', 'd', 0};
        memcpy(code + size, once, sizeof once);
        size += (int)sizeof once;
    }
    code[size++] = OP_END;
    agent_run run;
    assert(check(code, size, 0) == AGENT_DONE);
    assert(run_to_the_end(code, size, &run) == AGENT_DONE);
    assert(run.text_size == AGENT_TEXT && run.text[899] == '7' && run.text[0] == ' ');
}

int main(void)
{
    test_every_refusal();
    test_chain_of_backward_jumps();
    test_a_loop_that_takes_too_long();
    test_more_text_than_fits();
    test_generated();
    test_garbage();
    puts("all passed");
    return 0;
}
