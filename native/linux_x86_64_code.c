/* Instructions of the x86-64 CPU, as far as a step over a trap must know them: how long one is, whether it does the
 * same at another address, and where the jumps lead. Intel SDM vol. 2, chapter 2 and appendix A. What is not known
 * here for certain is not moved. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <string.h>
#include <sys/user.h>

/* What follows an opcode. */
enum shape {
    X = 0,      /* not moved: unknown, invalid, leaves for somewhere else, or an operand of its own kind */
    N = 1,      /* nothing */
    M = 2,      /* ModRM */
    I1 = 4,     /* an immediate of one byte */
    IZ = 8,     /* one of 4 bytes, 2 with prefix 66 */
    IV = 16,    /* as IZ, 8 with REX.W */
    I3 = 32,    /* 3 bytes: ENTER */
    O8 = 64,    /* an absolute address */
    MI1 = M | I1,
    MIZ = M | IZ
};

static const uint8_t one_byte[256] = {
    /*         0    1    2    3    4    5    6  7     8    9    a    b    c    d   e  f */
    /* 00 */ M,   M,   M,   M,   I1,  IZ,  X, X,    M,   M,   M,   M,   I1,  IZ, X, X,
    /* 10 */ M,   M,   M,   M,   I1,  IZ,  X, X,    M,   M,   M,   M,   I1,  IZ, X, X,
    /* 20 */ M,   M,   M,   M,   I1,  IZ,  X, X,    M,   M,   M,   M,   I1,  IZ, X, X,
    /* 30 */ M,   M,   M,   M,   I1,  IZ,  X, X,    M,   M,   M,   M,   I1,  IZ, X, X,
    /* 40 */ X,   X,   X,   X,   X,   X,   X, X,    X,   X,   X,   X,   X,   X,  X, X,
    /* 50 */ N,   N,   N,   N,   N,   N,   N, N,    N,   N,   N,   N,   N,   N,  N, N,
    /* 60 */ X,   X,   X,   M,   X,   X,   X, X,    IZ,  MIZ, I1,  MI1, X,   X,  X, X,
    /* 70 */ X,   X,   X,   X,   X,   X,   X, X,    X,   X,   X,   X,   X,   X,  X, X,
    /* 80 */ MI1, MIZ, X,   MI1, M,   M,   M, M,    M,   M,   M,   M,   M,   M,  X, M,
    /* 90 */ N,   N,   N,   N,   N,   N,   N, N,    N,   N,   X,   N,   N,   N,  N, N,
    /* a0 */ O8,  O8,  O8,  O8,  N,   N,   N, N,    I1,  IZ,  N,   N,   N,   N,  N, N,
    /* b0 */ I1,  I1,  I1,  I1,  I1,  I1,  I1, I1,  IV,  IV,  IV,  IV,  IV,  IV, IV, IV,
    /* c0 */ MI1, MI1, X,   X,   X,   X,   MI1, MIZ, I3, N,   X,   X,   X,   X,  X, X,
    /* d0 */ M,   M,   M,   M,   X,   X,   X, N,    M,   M,   M,   M,   M,   M,  M, M,
    /* e0 */ X,   X,   X,   X,   X,   X,   X, X,    X,   X,   X,   X,   X,   X,  X, X,
    /* f0 */ X,   X,   X,   X,   X,   N,   M, M,    N,   N,   X,   X,   N,   N,  M, M,
};

/* After 0f. Left out beside what leaves: system calls and what only the kernel may do, ud0 to ud2, 3DNow!. */
static const uint8_t two_byte[256] = {
    /*         0    1    2    3    4    5    6    7     8    9    a    b    c    d   e  f */
    /* 00 */ M,   M,   M,   M,   X,   X,   X,   X,    X,   X,   X,   X,   X,   M,  X, X,
    /* 10 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* 20 */ X,   X,   X,   X,   X,   X,   X,   X,    M,   M,   M,   M,   M,   M,  M, M,
    /* 30 */ X,   N,   X,   N,   X,   X,   X,   X,    X,   X,   X,   X,   X,   X,  X, X,
    /* 40 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* 50 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* 60 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* 70 */ MI1, MI1, MI1, MI1, M,   M,   M,   N,    X,   X,   X,   X,   M,   M,  M, M,
    /* 80 */ X,   X,   X,   X,   X,   X,   X,   X,    X,   X,   X,   X,   X,   X,  X, X,
    /* 90 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* a0 */ N,   N,   N,   M,   MI1, M,   X,   X,    N,   N,   X,   M,   MI1, M,  M, M,
    /* b0 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   X,   MI1, M,   M,   M,  M, M,
    /* c0 */ M,   M,   MI1, M,   MI1, MI1, MI1, M,    N,   N,   N,   N,   N,   N,  N, N,
    /* d0 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* e0 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, M,
    /* f0 */ M,   M,   M,   M,   M,   M,   M,   M,    M,   M,   M,   M,   M,   M,  M, X,
};

struct reader {
    const uint8_t *code;
    int at;
    bool operand_size, address_size, wide; /* 66, 67, REX.W */
};

static void read_prefixes(struct reader *reader) {
    const uint8_t *code = reader->code;
    for (;; reader->at++) {
        uint8_t byte = code[reader->at];
        reader->operand_size |= byte == 0x66;
        reader->address_size |= byte == 0x67;
        bool prefix = (byte & 0xe7) == 0x26 || (byte >= 0x64 && byte <= 0x67) || byte == 0xf0 || byte == 0xf2 ||
                      byte == 0xf3;
        if (!prefix || reader->at == 14)
            break;
    }
    if ((code[reader->at] & 0xf0) == 0x40)
        reader->wide = code[reader->at++] & 8;
}

/* The opcode itself, in whichever map it is; the shape of what follows. */
static int read_opcode(struct reader *reader) {
    const uint8_t *code = reader->code;
    uint8_t byte = code[reader->at++];
    if (byte == 0xc4 || byte == 0xc5 || byte == 0x62) { /* VEX and EVEX */
        int map = byte == 0xc5 ? 1 : code[reader->at] & (byte == 0xc4 ? 0x1f : 7);
        reader->at += byte == 0xc5 ? 1 : byte == 0xc4 ? 2 : 3;
        byte = code[reader->at++];
        if (map == 1)
            return two_byte[byte] & ~IZ;
        return map == 2 || ((map == 5 || map == 6) && code[0] == 0x62) ? M : map == 3 ? MI1 : X;
    }
    if (byte != 0x0f)
        return one_byte[byte];
    byte = code[reader->at++];
    if (byte == 0x38 || byte == 0x3a)
        return reader->at++, byte == 0x38 ? M : MI1;
    return two_byte[byte];
}

static int immediate_size(const struct reader *reader, int shape) {
    int z = reader->operand_size && !reader->wide ? 2 : 4;
    return (shape & I1 ? 1 : 0) + (shape & IZ ? z : 0) + (shape & IV ? (reader->wide ? 8 : z) : 0) +
           (shape & I3 ? 3 : 0) + (shape & O8 ? (reader->address_size ? 4 : 8) : 0);
}

/* Groups in which the ModRM byte says more of the opcode. */
static int refine(int shape, uint8_t opcode, uint8_t modrm, bool escaped) {
    int reg = modrm >> 3 & 7;
    if (escaped)
        return shape;
    switch (opcode) {
    case 0x8f: /* else XOP */
    case 0xc6: /* else XABORT and XBEGIN */
    case 0xc7:
        return reg ? X : shape;
    case 0xf6:
        return reg < 2 ? MI1 : M;
    case 0xf7:
        return reg < 2 ? MIZ : M;
    case 0xfe:
        return reg < 2 ? M : X;
    case 0xff: /* calls and jumps between */
        return reg < 2 || reg == 6 ? M : X;
    default:
        return shape;
    }
}

/* ModRM, SIB and displacement. */
static void read_address(struct reader *reader, struct instruction *instruction) {
    const uint8_t *code = reader->code;
    uint8_t modrm = code[reader->at++];
    int mod = modrm >> 6, rm = modrm & 7;
    if (mod == 3)
        return;
    if (mod == 0 && rm == 5) {
        instruction->displacement_at = reader->at;
        reader->at += 4;
        return;
    }
    bool no_base = rm == 4 && (code[reader->at] & 7) == 5;
    reader->at += rm == 4;
    reader->at += mod == 1 ? 1 : mod == 2 || no_base ? 4 : 0;
}

bool cpu_decode(const uint8_t *code, struct instruction *instruction) {
    struct reader reader = {code, 0, false, false, false};
    *instruction = (struct instruction){0};
    read_prefixes(&reader);
    int start = reader.at, shape = read_opcode(&reader);
    bool escaped = code[start] == 0x0f || code[start] == 0xc4 || code[start] == 0xc5 || code[start] == 0x62;
    if (shape & M) {
        shape = refine(shape, code[start], code[reader.at], escaped);
        read_address(&reader, instruction);
    }
    reader.at += immediate_size(&reader, shape);
    instruction->length = reader.at;
    return shape != X && reader.at <= INSTRUCTION_MAX && !(reader.address_size && instruction->displacement_at);
}

/* --- moving ------------------------------------------------------------------------ */

static int32_t load32(const uint8_t *from) {
    int32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static bool store_distance(uint8_t *to, int64_t distance) {
    int32_t value = (int32_t)distance;
    memcpy(to, &value, sizeof value);
    return value == distance;
}

/* The instruction and, after it, a jump back to the one that follows. */
int cpu_move(const uint8_t *code, const struct instruction *instruction, uint64_t from, uint64_t to, uint8_t *moved) {
    int length = instruction->length, at = instruction->displacement_at;
    int64_t distance = (int64_t)(from - to);
    memcpy(moved, code, (size_t)length);
    if (at && !store_distance(moved + at, load32(code + at) + distance))
        return 0;
    moved[length] = 0xe9;
    return store_distance(moved + length + 1, distance - 5) ? length + 5 : 0;
}

/* --- jumps -------------------------------------------------------------------------- */

enum { CF = 1 << 0, PF = 1 << 2, ZF = 1 << 6, SF = 1 << 7, OF = 1 << 11 };

/* SDM vol. 2, appendix B.1.4.7: the lowest bit of the condition reverses it. */
static bool condition_holds(unsigned condition, unsigned long long flags) {
    bool less = !(flags & SF) != !(flags & OF);
    bool holds[] = {flags & OF, flags & CF, flags & ZF, flags & (CF | ZF), flags & SF, flags & PF, less,
                    less || flags & ZF};
    return holds[condition >> 1] != (condition & 1);
}

static bool is_near(const uint8_t *code) {
    return code[0] == 0xe9 || (code[0] == 0x0f && (code[1] & 0xf0) == 0x80);
}

bool cpu_is_jump(const uint8_t *code) {
    return is_near(code) || code[0] == 0xeb || (code[0] & 0xf0) == 0x70;
}

void cpu_jump(const uint8_t *code, uint8_t *general) {
    struct user_regs_struct *regs = (struct user_regs_struct *)general;
    bool near = is_near(code), conditional = code[0] != 0xe9 && code[0] != 0xeb;
    int opcode = code[0] == 0x0f ? 2 : 1;
    int64_t distance = near ? load32(code + opcode) : (int8_t)code[opcode];
    bool taken = !conditional || condition_holds(code[opcode - 1] & 0xf, regs->eflags);
    regs->rip += (uint64_t)(opcode + (near ? 4 : 1)) + (taken ? (uint64_t)distance : 0);
}

/* linux/user.h: the code segment of 32-bit programs is another one. */
bool cpu_is_64_bit(const uint8_t *general) {
    return ((const struct user_regs_struct *)general)->cs == 0x33;
}
