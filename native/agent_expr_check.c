/* The check of an agent expression: every instruction is known and whole, every jump leads to one, and the stack has
 * the same height wherever an instruction is reached from, never below zero nor above AGENT_STACK. */
#include "agent_expr.h"

#include <stdlib.h>
#include <string.h>

#define OPCODE(operands, pops, pushes) {1, operands, pops, pushes}

/* float (01) and the conversions from 1b on are reserved: gdb has never sent them and gdbserver refuses them. What
 * collects for a tracepoint takes its values off the stack and does nothing else here. pick and printf depend on
 * their operands, see effect(). */
const struct agent_opcode agent_opcodes[256] = {
    [OP_ADD] = OPCODE(0, 2, 1),          [OP_SUB] = OPCODE(0, 2, 1),          [OP_MUL] = OPCODE(0, 2, 1),
    [OP_DIV_SIGNED] = OPCODE(0, 2, 1),   [OP_DIV_UNSIGNED] = OPCODE(0, 2, 1), [OP_REM_SIGNED] = OPCODE(0, 2, 1),
    [OP_REM_UNSIGNED] = OPCODE(0, 2, 1), [OP_LSH] = OPCODE(0, 2, 1),          [OP_RSH_SIGNED] = OPCODE(0, 2, 1),
    [OP_RSH_UNSIGNED] = OPCODE(0, 2, 1), [OP_TRACE] = OPCODE(0, 2, 0),        [OP_TRACE_QUICK] = OPCODE(1, 1, 1),
    [OP_LOG_NOT] = OPCODE(0, 1, 1),      [OP_BIT_AND] = OPCODE(0, 2, 1),      [OP_BIT_OR] = OPCODE(0, 2, 1),
    [OP_BIT_XOR] = OPCODE(0, 2, 1),      [OP_BIT_NOT] = OPCODE(0, 1, 1),      [OP_EQUAL] = OPCODE(0, 2, 1),
    [OP_LESS_SIGNED] = OPCODE(0, 2, 1),  [OP_LESS_UNSIGNED] = OPCODE(0, 2, 1), [OP_EXT] = OPCODE(1, 1, 1),
    [OP_REF8] = OPCODE(0, 1, 1),         [OP_REF16] = OPCODE(0, 1, 1),        [OP_REF32] = OPCODE(0, 1, 1),
    [OP_REF64] = OPCODE(0, 1, 1),        [OP_IF_GOTO] = OPCODE(2, 1, 0),      [OP_GOTO] = OPCODE(2, 0, 0),
    [OP_CONST8] = OPCODE(1, 0, 1),       [OP_CONST16] = OPCODE(2, 0, 1),      [OP_CONST32] = OPCODE(4, 0, 1),
    [OP_CONST64] = OPCODE(8, 0, 1),      [OP_REG] = OPCODE(2, 0, 1),          [OP_END] = OPCODE(0, 0, 0),
    [OP_DUP] = OPCODE(0, 1, 2),          [OP_POP] = OPCODE(0, 1, 0),          [OP_ZERO_EXT] = OPCODE(1, 1, 1),
    [OP_SWAP] = OPCODE(0, 2, 2),         [OP_GETV] = OPCODE(2, 0, 1),         [OP_SETV] = OPCODE(2, 1, 1),
    [OP_TRACEV] = OPCODE(2, 0, 0),       [OP_TRACENZ] = OPCODE(0, 2, 0),      [OP_TRACE16] = OPCODE(2, 1, 1),
    [OP_PICK] = OPCODE(1, 0, 1),         [OP_ROT] = OPCODE(0, 3, 3),          [OP_PRINTF] = OPCODE(3, 2, 0),
};

uint64_t agent_operand(const uint8_t *from, int size) {
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

struct check {
    const uint8_t *code;
    int size;
    int wants_value;
    const uint8_t *register_sizes;
    int registers;
    /* By offset: the height of the stack before the instruction there, NOT_REACHED, or INSIDE one. */
    int16_t *height;
    /* Instructions that are reached and have not been followed yet; then, those from which the end is reached. */
    int32_t *list;
    int listed;
};

enum { INSIDE = -2, NOT_REACHED = -1 };

static int length(const struct check *check, int at) {
    const uint8_t *code = check->code + at;
    int size = 1 + agent_opcodes[*code].operands;
    if (*code == OP_PRINTF && at + size <= check->size)
        size += (int)agent_operand(code + 2, 2);
    return size;
}

/* gdb pushes the function, the channel and the values; gdbserver ignores the first two, and so does this. */
static int check_printf(const uint8_t *code) {
    int size = (int)agent_operand(code + 2, 2);
    if (size < 1 || code[4 + size - 1] != 0)
        return AGENT_FORMAT;
    return agent_count_arguments((const char *)code + 4, size - 1) == code[1] ? AGENT_DONE : AGENT_FORMAT;
}

static int check_register(const struct check *check, const uint8_t *code) {
    int number = (int)agent_operand(code + 1, 2);
    return number < check->registers && check->register_sizes[number] ? AGENT_DONE : AGENT_REGISTER;
}

static int check_operands(const struct check *check, const uint8_t *code) {
    switch (*code) {
    case OP_PRINTF:
        return check_printf(code);
    case OP_REG:
        return check_register(check, code);
    case OP_GETV:
    case OP_SETV:
    case OP_TRACEV:
        return AGENT_VARIABLE;
    default:
        return AGENT_DONE;
    }
}

/* One instruction after another from the beginning: what lies between them cannot be jumped to. */
static int find_instructions(struct check *check, int32_t *at) {
    for (int i = 0; i < check->size; i++)
        check->height[i] = INSIDE;
    for (*at = 0; *at < check->size; *at += length(check, *at)) {
        const uint8_t *code = check->code + *at;
        if (!agent_opcodes[*code].known)
            return AGENT_UNKNOWN;
        if (*at + length(check, *at) > check->size)
            return AGENT_CUT_SHORT;
        int result = check_operands(check, code);
        if (result)
            return result;
        check->height[*at] = NOT_REACHED;
    }
    return check->size ? AGENT_DONE : AGENT_CUT_SHORT;
}

/* The height after the instruction, or what is wrong as a negative number. */
static int effect(const uint8_t *code, int height) {
    const struct agent_opcode *opcode = &agent_opcodes[*code];
    int pops = opcode->pops, pushes = opcode->pushes;
    if (*code == OP_PRINTF)
        pops += code[1];
    if (height < (*code == OP_PICK ? code[1] + 1 : pops))
        return -AGENT_UNDERFLOW;
    return height - pops + pushes > AGENT_STACK ? -AGENT_OVERFLOW : height - pops + pushes;
}

static int reach(struct check *check, int target, int height, int jump) {
    if (target >= check->size)
        return jump ? AGENT_JUMPS_OUT : AGENT_CUT_SHORT;
    if (check->height[target] == INSIDE)
        return AGENT_JUMPS_INTO;
    if (check->height[target] >= 0)
        return check->height[target] == height ? AGENT_DONE : AGENT_HEIGHTS;
    check->height[target] = (int16_t)height;
    check->list[check->listed++] = target;
    return AGENT_DONE;
}

static int follow(struct check *check, int at) {
    const uint8_t *code = check->code + at;
    int height = effect(code, check->height[at]), result;
    if (height < 0)
        return -height;
    if (*code == OP_END)
        return check->wants_value && !height ? AGENT_NO_VALUE : AGENT_DONE;
    if (*code == OP_GOTO || *code == OP_IF_GOTO) {
        result = reach(check, (int)agent_operand(code + 1, 2), height, 1);
        if (result || *code == OP_GOTO)
            return result;
    }
    return reach(check, at + length(check, at), height, 0);
}

/* A loop may end by what it computes, which AGENT_STEPS sees to; one without a way out never does. Each round goes
 * over the code backwards, so that without loops one round is enough. */
static int find_endless(struct check *check, int32_t *at) {
    enum { ENDS = INSIDE };
    int16_t *height = check->height;
    for (int changed = 1; changed;) {
        changed = 0;
        for (int i = check->listed - 1; i >= 0; i--) {
            int from = check->list[i], next = from + length(check, from);
            if (height[from] == ENDS)
                continue;
            const uint8_t *code = check->code + from;
            int ends = *code == OP_END || (*code != OP_GOTO && height[next] == ENDS);
            if (*code == OP_GOTO || *code == OP_IF_GOTO)
                ends |= height[agent_operand(code + 1, 2)] == ENDS;
            if (ends) {
                height[from] = ENDS;
                changed = 1;
            }
        }
    }
    for (int i = 0; i < check->listed; i++)
        if (height[check->list[i]] != ENDS) {
            *at = check->list[i];
            return AGENT_ENDLESS;
        }
    return AGENT_DONE;
}

static int by_offset(const void *left, const void *right) {
    return *(const int32_t *)left - *(const int32_t *)right;
}

static int check_paths(struct check *check, int32_t *at) {
    *at = 0;
    int result = reach(check, 0, 0, 0);
    for (int i = 0; i < check->listed && !result; i++) {
        *at = check->list[i];
        result = follow(check, *at);
    }
    if (result)
        return result;
    qsort(check->list, (size_t)check->listed, sizeof *check->list, by_offset);
    return find_endless(check, at);
}

int agent_expr_check(const uint8_t *code, int size, int wants_value, const uint8_t *register_sizes, int registers,
                     int32_t *at) {
    struct check check = {code, size, wants_value, register_sizes, registers, NULL, NULL, 0};
    *at = 0;
    if (size < 1 || size > AGENT_SIZE)
        return size < 1 ? AGENT_CUT_SHORT : AGENT_TOO_LARGE;
    check.height = malloc((size_t)size * sizeof *check.height);
    check.list = malloc((size_t)size * sizeof *check.list);
    int result = check.height && check.list ? find_instructions(&check, at) : AGENT_NO_ROOM;
    if (!result)
        result = check_paths(&check, at);
    free(check.height);
    free(check.list);
    return result;
}
