/* Running a checked agent expression. The stack has 64-bit values; memory is little-endian, as every target is. */
#include "agent_expr.h"

#include <string.h>

static uint64_t pop(agent_run *run) {
    return run->stack[--run->depth];
}

static void push(agent_run *run, uint64_t value) {
    run->stack[run->depth++] = value;
}

static uint64_t low_bits(uint64_t value, unsigned bits) {
    return bits >= 64 ? value : value & ((1ull << bits) - 1);
}

static uint64_t sign_extended(uint64_t value, unsigned bits) {
    if (bits == 0 || bits >= 64)
        return bits ? value : 0;
    uint64_t sign = 1ull << (bits - 1);
    return (low_bits(value, bits) ^ sign) - sign;
}

/* Shifts by 64 and more, which C leaves undefined, give what shifting by one so many times would. */
static uint64_t shift(uint8_t op, uint64_t value, uint64_t count) {
    if (op == OP_RSH_SIGNED)
        return (uint64_t)((int64_t)value >> (count < 64 ? count : 63));
    if (count >= 64)
        return 0;
    return op == OP_LSH ? value << count : value >> count;
}

static uint64_t divide(uint8_t op, uint64_t left, uint64_t right) {
    switch (op) {
    case OP_DIV_UNSIGNED:
        return left / right;
    case OP_REM_UNSIGNED:
        return left % right;
    case OP_DIV_SIGNED:
        return right == ~0ull ? 0 - left : (uint64_t)((int64_t)left / (int64_t)right);
    default:
        return right == ~0ull ? 0 : (uint64_t)((int64_t)left % (int64_t)right);
    }
}

static uint64_t two(uint8_t op, uint64_t left, uint64_t right) {
    switch (op) {
    case OP_ADD:
        return left + right;
    case OP_SUB:
        return left - right;
    case OP_MUL:
        return left * right;
    case OP_LSH:
    case OP_RSH_SIGNED:
    case OP_RSH_UNSIGNED:
        return shift(op, left, right);
    case OP_BIT_AND:
        return left & right;
    case OP_BIT_OR:
        return left | right;
    case OP_BIT_XOR:
        return left ^ right;
    case OP_EQUAL:
        return left == right;
    case OP_LESS_SIGNED:
        return (int64_t)left < (int64_t)right;
    case OP_LESS_UNSIGNED:
        return left < right;
    default:
        return divide(op, left, right);
    }
}

static uint64_t one(const uint8_t *code, uint64_t value) {
    switch (*code) {
    case OP_LOG_NOT:
        return !value;
    case OP_BIT_NOT:
        return ~value;
    case OP_EXT:
        return sign_extended(value, code[1]);
    case OP_ZERO_EXT:
        return low_bits(value, code[1]);
    default: /* what a tracepoint would collect: the address stays */
        return value;
    }
}

/* Instructions that move what is on the stack, or take it off. */
static void move(const uint8_t *code, agent_run *run) {
    uint64_t *top = &run->stack[run->depth - 1], value;
    switch (*code) {
    case OP_DUP:
        push(run, *top);
        break;
    case OP_PICK:
        push(run, top[-(int)code[1]]);
        break;
    case OP_SWAP:
        value = top[0];
        top[0] = top[-1];
        top[-1] = value;
        break;
    case OP_ROT: /* the top goes below the two others */
        value = top[0];
        top[0] = top[-1];
        top[-1] = top[-2];
        top[-2] = value;
        break;
    default:
        run->depth -= agent_opcodes[*code].pops;
    }
}

static int want(agent_run *run, int result, uint64_t address, int size) {
    run->waiting = 1;
    run->address = address;
    run->wanted = size;
    return result;
}

/* A value that was wanted has come, or not. */
static int take(agent_run *run, const uint8_t *data, int got, int failure) {
    uint64_t value = 0;
    run->waiting = 0;
    if (got < (run->wanted ? run->wanted : 1) || got > (int)sizeof value)
        return failure;
    memcpy(&value, data, (size_t)got);
    push(run, value);
    return AGENT_DONE;
}

static int load(const uint8_t *code, agent_run *run, const uint8_t *data, int got) {
    if (*code == OP_REG)
        return run->waiting ? take(run, data, got, AGENT_BAD_REGISTER)
                            : want(run, AGENT_WANTS_REGISTER, agent_operand(code + 1, 2), 0);
    if (run->waiting)
        return take(run, data, got, AGENT_BAD_MEMORY);
    return want(run, AGENT_WANTS_MEMORY, pop(run), 1 << (*code - OP_REF8));
}

/* A part of a string has come. AGENT_DONE: with its end. */
static int take_string(agent_run *run, const uint8_t *data, int got) {
    if (got < 1)
        return AGENT_BAD_MEMORY;
    const uint8_t *end = memchr(data, 0, (size_t)got);
    int room = AGENT_TEXT - run->text_size, size = end ? (int)(end - data) : got;
    agent_append(run, (const char *)data, size);
    return end || size >= room ? AGENT_DONE : want(run, AGENT_WANTS_MEMORY, run->address + (uint64_t)got, AGENT_READ);
}

/* gdb pushes the arguments so that the first one is popped first, below the function and the channel. */
static uint64_t argument(const agent_run *run) {
    return run->stack[run->depth - 3 - run->argument];
}

static int print_string(const char *format, const struct agent_piece *piece, agent_run *run, const uint8_t *data,
                        int got) {
    if (!run->waiting) {
        run->string_at = run->text_size;
        if (argument(run))
            return want(run, AGENT_WANTS_MEMORY, argument(run), AGENT_READ);
        agent_append(run, "(null)", 6); /* as gdbserver has it */
    } else {
        run->waiting = 0;
        int result = take_string(run, data, got);
        if (result)
            return result;
    }
    agent_print_string(run, format, piece, run->string_at);
    return AGENT_DONE;
}

static int print(const uint8_t *code, agent_run *run, const uint8_t *data, int got) {
    const char *format = (const char *)code + 4;
    int size = (int)agent_operand(code + 2, 2) - 1;
    struct agent_piece piece;
    for (int at = run->format_at; at < size && agent_next_piece(format, size, &at, &piece); run->format_at = at) {
        int result = AGENT_DONE;
        if (!piece.kind)
            agent_print_text(run, format, &piece);
        else if (piece.kind != 's')
            agent_print_value(run, format, &piece, argument(run));
        else
            result = print_string(format, &piece, run, data, got);
        if (result)
            return result;
        run->argument += piece.kind != 0;
    }
    run->depth -= 2 + code[1];
    run->format_at = run->argument = 0;
    return AGENT_DONE;
}

/* Everything but jumps and the end. */
static int execute(const uint8_t *code, agent_run *run, const uint8_t *data, int got) {
    const struct agent_opcode *opcode = &agent_opcodes[*code];
    if (*code == OP_PRINTF)
        return print(code, run, data, got);
    if (*code == OP_REG || (*code >= OP_REF8 && *code <= OP_REF64))
        return load(code, run, data, got);
    if (*code >= OP_CONST8 && *code <= OP_CONST64) {
        push(run, agent_operand(code + 1, opcode->operands));
    } else if (opcode->pops == 2 && opcode->pushes == 1) {
        uint64_t right = pop(run), left = pop(run);
        if (*code >= OP_DIV_SIGNED && *code <= OP_REM_UNSIGNED && !right)
            return AGENT_DIVISION;
        push(run, two(*code, left, right));
    } else if (opcode->pops == 1 && opcode->pushes == 1) {
        push(run, one(code, pop(run)));
    } else {
        move(code, run);
    }
    return AGENT_DONE;
}

static int next_instruction(const uint8_t *code) {
    return 1 + agent_opcodes[*code].operands + (*code == OP_PRINTF ? (int)agent_operand(code + 2, 2) : 0);
}

int agent_expr_run(const uint8_t *code, int size, agent_run *run, const uint8_t *data, int got) {
    while (run->at < size && code[run->at] != OP_END) {
        const uint8_t *present = code + run->at;
        if (!run->waiting && run->steps++ == AGENT_STEPS)
            return AGENT_TOO_LONG;
        if (*present == OP_GOTO || (*present == OP_IF_GOTO && pop(run))) {
            run->at = (int)agent_operand(present + 1, 2);
            continue;
        }
        int result = *present == OP_IF_GOTO ? AGENT_DONE : execute(present, run, data, got);
        if (result)
            return result;
        run->at += next_instruction(present);
    }
    run->value = run->depth ? run->stack[run->depth - 1] : 0;
    return AGENT_DONE;
}
