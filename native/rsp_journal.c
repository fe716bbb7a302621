/* A transcript as it is written: one line a packet, in the form that docs/transcripts.md describes. */

#include "rsp.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* As long as the vector registers that every processor has, short enough that one escaped byte costs little. */
enum { BLOCK = 16 };
typedef uint8_t block __attribute__((vector_size(BLOCK)));

int64_t rsp_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is to be escaped in it, as bytes that are not 0. */
static block escapes(block bytes)
{
    return (block)((bytes - ' ' > '~' - ' ') | (bytes == '\\'));
}

static int is_escaped(uint8_t byte)
{
    return ((uint8_t)(byte - ' ') > '~' - ' ') | (byte == '\\');
}

static int any(block bytes)
{
    uint64_t halves[2];
    memcpy(halves, &bytes, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/* Copies `count` blocks, and says whether they may stay as they are. */
static inline int copy_plain(uint8_t *to, const uint8_t *from, int count)
{
    block found = {0};
    for (int i = 0; i < count; i++) {
        block bytes;
        memcpy(&bytes, from + i * BLOCK, BLOCK);
        memcpy(to + i * BLOCK, &bytes, BLOCK);
        found |= escapes(bytes);
    }
    return !any(found);
}

enum { WIDEST = 4 };

/* What each byte is on a line, without a branch: in what is not text no two bytes are alike. */
static struct {
    uint8_t text[WIDEST];
    uint8_t length;
} forms[256];

static void set_form(int byte, const char *text, int length)
{
    memcpy(forms[byte].text, text, (size_t)length);
    forms[byte].length = (uint8_t)length;
}

static void make_forms(void)
{
    static const char digits[] = "0123456789abcdef", named[][3] = {"\\\\", "\nn", "\rr", "\tt"};
    for (int byte = 0; byte < 256; byte++) {
        char plain = (char)byte, escaped[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        if (byte < ' ' || byte > '~')
            set_form(byte, escaped, WIDEST);
        else
            set_form(byte, &plain, 1);
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        set_form(named[i][0], (char[]){'\\', named[i][1]}, 2);
}

/* Needs room for the longest form. */
static uint8_t *put_byte(uint8_t *to, uint8_t byte)
{
    memcpy(to, forms[byte].text, WIDEST);
    return to + forms[byte].length;
}

static uint8_t *put_hexadecimal(uint8_t *to, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[] = {'\\', 'x', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
    return (uint8_t *)memcpy(to, text, sizeof text) + sizeof text;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *from, const uint8_t *end)
{
    enum { MANY = 8 };
    if (!forms[0].length)
        make_forms();
    while (end - from >= MANY * BLOCK && copy_plain(to, from, MANY)) {
        to += MANY * BLOCK;
        from += MANY * BLOCK;
    }
    for (; end - from >= BLOCK; from += BLOCK) {
        if (copy_plain(to, from, 1))
            to += BLOCK;
        else
            for (int i = 0; i < BLOCK; i++)
                to = put_byte(to, from[i]);
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

uint8_t *rsp_decimal(uint8_t *to, int64_t value, int width)
{
    uint8_t digits[20];
    int count = 0;
    for (; value > 0 || count < width; value /= 10)
        digits[count++] = (uint8_t)('0' + value % 10);
    while (count)
        *to++ = digits[--count];
    return to;
}

/* In a form that compilers make vector instructions of. */
static int count_escaped(const uint8_t *bytes, int size)
{
    uint8_t count = 0;
    for (int i = 0; i < size; i++)
        count += (uint8_t)is_escaped(bytes[i]);
    return count;
}

/* Whether its text would be longer than that, where each byte that is escaped counts as the widest. */
static int is_long(const rsp_body *body, int64_t longest)
{
    enum { COUNTED = 128 };
    int64_t text = body->length, left = body->length;
    if (text > longest || WIDEST * text <= longest)
        return text > longest;
    const uint8_t *at = body->bytes;
    for (; left >= COUNTED; left -= COUNTED, at += COUNTED)
        text += (WIDEST - 1) * count_escaped(at, COUNTED);
    return text + (WIDEST - 1) * count_escaped(at, (int)left) > longest;
}

/* What a line has after its mark: a body, or the name of one, which has `@` before it in `name`. */
typedef struct {
    const rsp_body *body;
    uint8_t name[1 + RSP_BODY_NAME];
    int64_t name_length;
} subject;

/* 0 or what `rsp_keep_body` gives. */
static int prepare(const rsp_journal *journal, const rsp_body *body, subject *what)
{
    what->body = body;
    what->name_length = 0;
    if (!is_long(body, journal->longest))
        return 0;
    int64_t size = journal->bodies ? rsp_keep_body(journal->bodies, body, what->name + 1) : -ENOSPC;
    if (size < 0)
        return (int)size;
    what->name[0] = '@';
    what->name_length = 1 + size;
    return 0;
}

static int64_t most_text(const subject *what)
{
    return RSP_LINE_OVERHEAD + (what->name_length ? what->name_length : 4 * what->body->length);
}

static int has_room(const rsp_journal *journal, int64_t bytes)
{
    return journal->room.start && journal->room.size - journal->end >= bytes;
}

static int outcome(rsp_journal *journal)
{
    rsp_look_ahead(&journal->room, journal->end);
    return journal->room.lost ? -EIO : 0;
}

/* The newline comes last: a line without one counts as cut short, whenever this process ends. */
static void put_line(rsp_journal *journal, int64_t when, const char *mark, const subject *what)
{
    int64_t microseconds = (when - journal->start) / 1000;
    uint8_t *line = journal->room.start + journal->end, *to = rsp_decimal(line, microseconds / 1000000, 1);
    *to++ = '.';
    to = rsp_decimal(to, microseconds % 1000000, 6);
    *to++ = ' ';
    while (*mark)
        *to++ = (uint8_t)*mark++;
    if (what->body->length) {
        *to++ = ' ';
        if (what->name_length)
            to = (uint8_t *)memcpy(to, what->name, (size_t)what->name_length) + what->name_length;
        else
            to = put_text(to, what->body->bytes, what->body->length);
    }
    __atomic_store_n(to, '\n', __ATOMIC_RELEASE);
    journal->end += to + 1 - line;
}

int rsp_journal_line(rsp_journal *journal, const char *mark, const uint8_t *bytes, int64_t length)
{
    rsp_body body = {bytes, length, NULL};
    subject what;
    int failed = prepare(journal, &body, &what);
    if (failed)
        return failed;
    if (!has_room(journal, most_text(&what)))
        return -ENOBUFS;
    put_line(journal, rsp_clock(), mark, &what);
    return outcome(journal);
}

int rsp_journal_exchange(rsp_journal *journal, int64_t when, const rsp_body *packet, const rsp_body *reply)
{
    subject asked, told;
    /* Text for or from the debuggee has marks of its own. */
    if (!packet->length || !reply->length || *packet->bytes == 'I' || *reply->bytes == 'O')
        return -EINVAL;
    int failed = prepare(journal, packet, &asked);
    if (!failed)
        failed = prepare(journal, reply, &told);
    if (failed)
        return failed;
    if (!has_room(journal, most_text(&asked) + most_text(&told)))
        return -ENOBUFS;
    put_line(journal, when, "<-", &asked);
    put_line(journal, rsp_clock(), "->", &told);
    return outcome(journal);
}
