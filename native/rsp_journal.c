/* A transcript as it is written: one line a packet, in the form that docs/transcripts.md describes. */

#include "rsp.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Long enough for vector units, short enough that one escaped byte costs little. */
enum { BLOCK = 64 };

int64_t rsp_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A loop of known length without branches, so that the compiler makes vector code of it. */
static int block_is_plain(const uint8_t *block)
{
    uint8_t found = 0;
    for (int i = 0; i < BLOCK; i++)
        found |= (uint8_t)((block[i] < ' ') | (block[i] > '~') | (block[i] == '\\'));
    return !found;
}

static uint8_t *put_hexadecimal(uint8_t *to, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = 'x';
    *to++ = (uint8_t)digits[byte >> 4];
    *to++ = (uint8_t)digits[byte & 15];
    return to;
}

static uint8_t *put_named(uint8_t *to, uint8_t letter)
{
    *to++ = '\\';
    *to++ = letter;
    return to;
}

static uint8_t *put_byte(uint8_t *to, uint8_t byte)
{
    switch (byte) {
    case '\\':
        return put_named(to, '\\');
    case '\n':
        return put_named(to, 'n');
    case '\r':
        return put_named(to, 'r');
    case '\t':
        return put_named(to, 't');
    }
    if (byte < ' ' || byte > '~')
        return put_hexadecimal(to, byte);
    *to++ = byte;
    return to;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, const uint8_t *end)
{
    while (end - from >= BLOCK) {
        if (block_is_plain(from)) {
            memcpy(to, from, BLOCK);
            to += BLOCK;
        } else {
            for (int i = 0; i < BLOCK; i++)
                to = put_byte(to, from[i]);
        }
        from += BLOCK;
    }
    while (from < end)
        to = put_byte(to, *from++);
    return to;
}

/* Editors take spaces off the end of a line, and '@' at the beginning names a body in the side file. */
static uint8_t *put_text(uint8_t *to, const uint8_t *body, int64_t length)
{
    const uint8_t *end = body + length;
    if (!length)
        return to;
    if (*body == '@')
        to = put_hexadecimal(to, *body++);
    if (body == end || end[-1] != ' ')
        return put_bytes(to, body, end);
    return put_hexadecimal(put_bytes(to, body, end - 1), ' ');
}

int64_t rsp_escape_line(const uint8_t *body, int64_t length, uint8_t *out)
{
    return put_text(out, body, length) - out;
}

/* At least `width` digits. */
static uint8_t *put_decimal(uint8_t *to, int64_t value, int width)
{
    uint8_t digits[20];
    int count = 0;
    for (; value > 0 || count < width; value /= 10)
        digits[count++] = (uint8_t)('0' + value % 10);
    while (count)
        *to++ = digits[--count];
    return to;
}

static int has_room(const rsp_journal *journal, int64_t lines, int64_t bytes)
{
    return journal->text && journal->capacity - journal->end >= lines * RSP_LINE_OVERHEAD + 4 * bytes;
}

/* The newline comes last: a line without one counts as cut short, whenever this process ends. */
static void put_line(rsp_journal *journal, int64_t when, const char *mark, const uint8_t *body, int64_t length, int named)
{
    int64_t microseconds = (when - journal->start) / 1000;
    uint8_t *line = journal->text + journal->end, *to = put_decimal(line, microseconds / 1000000, 1);
    *to++ = '.';
    to = put_decimal(to, microseconds % 1000000, 6);
    *to++ = ' ';
    while (*mark)
        *to++ = (uint8_t)*mark++;
    if (length) {
        *to++ = ' ';
        if (named) {
            *to++ = '@';
            to = (uint8_t *)memcpy(to, body, (size_t)length) + length;
        } else {
            to = put_text(to, body, length);
        }
    }
    __atomic_store_n(to, '\n', __ATOMIC_RELEASE);
    journal->end += to + 1 - line;
}

int rsp_journal_line(rsp_journal *journal, const char *mark, const uint8_t *body, int64_t length, int named)
{
    if (!has_room(journal, 1, length))
        return -ENOSPC;
    put_line(journal, rsp_clock(), mark, body, length, named);
    return 0;
}

/* Text for or from the debuggee has marks of its own. */
static int is_common(const rsp_journal *journal, const uint8_t *body, int64_t length, uint8_t console)
{
    return length && length <= journal->longest && *body != console;
}

int rsp_journal_exchange(rsp_journal *journal, int64_t when, const uint8_t *packet, int64_t packet_length,
                         const uint8_t *reply, int64_t reply_length)
{
    if (!is_common(journal, packet, packet_length, 'I') || !is_common(journal, reply, reply_length, 'O'))
        return -EINVAL;
    if (!has_room(journal, 2, packet_length + reply_length))
        return -ENOSPC;
    put_line(journal, when, "<-", packet, packet_length, 0);
    put_line(journal, rsp_clock(), "->", reply, reply_length, 0);
    return 0;
}
