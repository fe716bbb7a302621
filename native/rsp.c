/* Framing, escaping and run lengths of the gdb remote protocol (gdb manual,
 * appendix "Remote Serial Protocol", section "Overview"). Pure C99, no OS. */

#include "rsp.h"

#include <errno.h>
#include <string.h>

static const char HEX_DIGITS[] = "0123456789abcdef";

/* Long enough for vector units, short enough that one escaped byte costs little. */
enum { BLOCK = 64 };

/* Repeat counts are printed as count + 29, and 126 is the last printable character. */
enum { SHORTEST_REPEAT = 3, LONGEST_REPEAT = 97, REPEAT_BIAS = 29 };

int rsp_checksum(const uint8_t *data, int64_t length)
{
    uint8_t sum = 0;
    for (int64_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + data[i]);
    return sum;
}

static int is_special(uint8_t byte)
{
    return byte == '}' || byte == '#' || byte == '$' || byte == '*';
}

static uint8_t *put_escaped(uint8_t *to, uint8_t byte)
{
    if (is_special(byte)) {
        *to++ = '}';
        byte ^= 0x20;
    }
    *to++ = byte;
    return to;
}

/* A loop of known length without branches, so that the compiler makes vector code of it. */
static int block_has_special(const uint8_t *block)
{
    uint8_t found = 0;
    for (int i = 0; i < BLOCK; i++)
        found |= (uint8_t)((block[i] == '}') | (block[i] == '#') | (block[i] == '$') | (block[i] == '*'));
    return found;
}

static uint8_t *escape(const uint8_t *body, int64_t length, uint8_t *to)
{
    const uint8_t *end = body + length;
    while (end - body >= BLOCK) {
        if (block_has_special(body)) {
            for (int i = 0; i < BLOCK; i++)
                to = put_escaped(to, body[i]);
        } else {
            memcpy(to, body, BLOCK);
            to += BLOCK;
        }
        body += BLOCK;
    }
    while (body < end)
        to = put_escaped(to, *body++);
    return to;
}

/* gdb's manual forbids counts that print as '#', '$', '+' and '-'; the next smaller allowed one is used. */
static int allowed_repeat(int64_t wanted)
{
    int repeat = wanted > LONGEST_REPEAT ? LONGEST_REPEAT : (int)wanted;
    for (;;) {
        char printed = (char)(repeat + REPEAT_BIAS);
        if (printed != '#' && printed != '$' && printed != '+' && printed != '-')
            return repeat;
        repeat--;
    }
}

static uint8_t *put_run(uint8_t *to, uint8_t byte, int64_t run)
{
    while (run > SHORTEST_REPEAT) {
        int repeat = allowed_repeat(run - 1);
        *to++ = byte;
        *to++ = '*';
        *to++ = (uint8_t)(repeat + REPEAT_BIAS);
        run -= repeat + 1;
    }
    while (run-- > 0)
        *to++ = byte;
    return to;
}

static const uint8_t *end_of_run(const uint8_t *from, const uint8_t *end)
{
    uint64_t eight, same = 0x0101010101010101u * *from;
    for (; end - from >= 8; from += 8) {
        memcpy(&eight, from, 8);
        if (eight != same)
            break;
    }
    for (uint8_t byte = (uint8_t)same; from < end && *from == byte; from++)
        ;
    return from;
}

/* Whether a run worth counting starts in the block; looks SHORTEST_REPEAT bytes past its end. */
static int block_has_run(const uint8_t *block)
{
    uint8_t found = 0;
    for (int i = 0; i < BLOCK; i++)
        found |= (uint8_t)((block[i] == block[i + 1]) & (block[i] == block[i + 2]) & (block[i] == block[i + 3]));
    return found;
}

/* gdb expands runs before it unescapes, so runs are those of the escaped bytes.
 * Works in place: the compressed text never overtakes what is still to be read. */
static uint8_t *compress_runs(uint8_t *from, const uint8_t *end)
{
    uint8_t *to = from;
    while (from < end) {
        if (end - from >= BLOCK + SHORTEST_REPEAT && !block_has_run(from)) {
            memmove(to, from, BLOCK);
            to += BLOCK;
            from += BLOCK;
            continue;
        }
        const uint8_t *stop = end - from > BLOCK ? from + BLOCK : end;
        while (from < stop) {
            uint8_t byte = *from;
            const uint8_t *start = from;
            from = (uint8_t *)end_of_run(from, end);
            to = put_run(to, byte, from - start);
        }
    }
    return to;
}

int64_t rsp_frame(const uint8_t *body, int64_t length, uint8_t *out, int64_t capacity, int flags)
{
    if (length < 0 || capacity < 2 * length + 4)
        return -ENOSPC;
    out[0] = flags & RSP_NOTIFICATION ? '%' : '$';
    uint8_t *end = escape(body, length, out + 1);
    if (flags & RSP_RLE)
        end = compress_runs(out + 1, end);
    int sum = rsp_checksum(out + 1, end - out - 1);
    *end++ = '#';
    *end++ = (uint8_t)HEX_DIGITS[sum >> 4];
    *end++ = (uint8_t)HEX_DIGITS[sum & 15];
    return end - out;
}

int64_t rsp_expand(const uint8_t *data, int64_t length, uint8_t *out, int64_t capacity)
{
    int64_t used = 0;
    for (int64_t i = 0; i < length; i++) {
        int repeat = 0;
        if (data[i] == '*' && used > 0 && i + 1 < length)
            repeat = data[i + 1] - REPEAT_BIAS;
        if (repeat >= SHORTEST_REPEAT && repeat <= LONGEST_REPEAT) {
            if (used + repeat > capacity)
                return -ENOSPC;
            memset(out + used, out[used - 1], (size_t)repeat);
            used += repeat;
            i++;
        } else {
            if (used == capacity)
                return -ENOSPC;
            out[used++] = data[i];
        }
    }
    return used;
}

int64_t rsp_unescape(const uint8_t *data, int64_t length, uint8_t *out)
{
    uint8_t *to = out;
    int64_t i = 0;
    while (i < length) {
        const uint8_t *mark = memchr(data + i, '}', (size_t)(length - i));
        int64_t plain = (mark ? mark - data : length) - i;
        memmove(to, data + i, (size_t)plain);
        to += plain;
        i += plain;
        if (!mark)
            break;
        if (i + 1 == length) {
            *to++ = '}';
            break;
        }
        *to++ = data[i + 1] ^ 0x20;
        i += 2;
    }
    return to - out;
}
