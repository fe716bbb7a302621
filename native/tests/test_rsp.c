/* Tests of rsp*.c and registers.c, for running under ASan and UBSan:
 * every buffer is exactly as large as promised, so that one byte too many is seen. */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registers.h"
#include "rsp.h"

static uint8_t *exact(const void *data, int64_t length)
{
    uint8_t *copy = malloc(length ? (size_t)length : 1);
    assert(copy);
    memcpy(copy, data, (size_t)length);
    return copy;
}

static uint32_t seed = 1;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void expect_frame(const char *body, const char *frame, int flags)
{
    int64_t length = (int64_t)strlen(body);
    uint8_t *in = exact(body, length);
    uint8_t *out = malloc((size_t)(2 * length + 4));
    int64_t size = rsp_frame(in, length, out, 2 * length + 4, flags);
    assert(size == (int64_t)strlen(frame));
    assert(memcmp(out, frame, (size_t)size) == 0);
    assert(rsp_frame(in, length, out, 2 * length + 3, flags) == -ENOSPC);
    free(in);
    free(out);
}

static void test_frames(void)
{
    expect_frame("", "$#00", 0);
    expect_frame("OK", "$OK#9a", 0);
    expect_frame("Stop:", "%Stop:#e0", RSP_NOTIFICATION);
    expect_frame("0000", "$0* #7a", RSP_RLE);
    expect_frame("0000", "$0000#c0", 0);
    expect_frame("0000000", "$0*\"0#ac", RSP_RLE);
    assert(rsp_frame((const uint8_t *)"", -1, NULL, 100, 0) == -ENOSPC);
}

static void fill(uint8_t *body, int64_t length)
{
    static const char ALPHABET[] = "00000fab}#$*+-]\n\003";
    int64_t i = 0;
    while (i < length) {
        uint8_t byte = (uint8_t)ALPHABET[next_random() % (sizeof ALPHABET - 1)];
        int64_t run = next_random() % 3 ? 1 : 1 + next_random() % 210;
        while (run-- > 0 && i < length)
            body[i++] = byte;
    }
}

static void test_round_trips(void)
{
    for (int round = 0; round < 3000; round++) {
        int64_t length = next_random() % (round % 10 ? 200 : 2000);
        uint8_t *body = malloc(length ? (size_t)length : 1);
        fill(body, length);
        uint8_t *frame = malloc((size_t)(2 * length + 4));
        int64_t size = rsp_frame(body, length, frame, 2 * length + 4, round % 2 ? RSP_RLE : 0);
        assert(size >= 4 && frame[0] == '$' && frame[size - 3] == '#');
        assert(!memchr(frame + 1, '$', (size_t)(size - 1)));
        assert(!memchr(frame + 1, '#', (size_t)(size - 4)));

        uint8_t *wire = exact(frame + 1, size - 4);
        uint8_t *expanded = malloc((size_t)(2 * length + 1));
        int64_t wide = rsp_expand(wire, size - 4, expanded, 2 * length);
        assert(wide >= length);
        if (wide > 0)
            assert(rsp_expand(wire, size - 4, expanded, wide - 1) == -ENOSPC);
        assert(rsp_expand(wire, size - 4, expanded, wide) == wide);
        assert(rsp_unescape(expanded, wide, expanded) == length);
        assert(memcmp(expanded, body, (size_t)length) == 0);
        free(body);
        free(frame);
        free(wire);
        free(expanded);
    }
}

static void test_garbage(void)
{
    for (int round = 0; round < 3000; round++) {
        int64_t length = next_random() % 100;
        uint8_t *wire = malloc(length ? (size_t)length : 1);
        for (int64_t i = 0; i < length; i++)
            wire[i] = (uint8_t)(next_random() % 4 ? next_random() : '*' + next_random() % 2 * ('}' - '*'));
        uint8_t *out = malloc((size_t)(49 * length + 1));
        int64_t size = rsp_expand(wire, length, out, 49 * length);
        assert(size >= 0 && rsp_unescape(out, size, out) <= size);
        free(wire);
        free(out);
    }
    uint8_t plain[3];
    assert(rsp_unescape((const uint8_t *)"a}", 2, plain) == 2 && memcmp(plain, "a}", 2) == 0);
    assert(rsp_expand((const uint8_t *)"*~", 2, plain, 3) == 2 && memcmp(plain, "*~", 2) == 0);
    assert(rsp_checksum((const uint8_t *)"\xff\xff\x03", 3) == 1);
}

static void test_socket(void)
{
    int pair[2];
    uint8_t buffer[16];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 0) == -EAGAIN);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 100) == -EAGAIN);
    assert(rsp_send(pair[1], (const uint8_t *)"$OK#9a", 6) == 6);
    assert(rsp_receive(pair[0], buffer, 4, 0) == 4 && memcmp(buffer, "$OK#", 4) == 0);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 100) == 2);
    int64_t sent = 0;
    while (sent >= 0)
        sent = rsp_send(pair[0], buffer, sizeof buffer);
    assert(sent == -EAGAIN);
    close(pair[1]);
    /* Without SIGPIPE, which would end this program. */
    assert(rsp_send(pair[0], buffer, 1) == -EPIPE);
    close(pair[0]);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 100) == -EBADF);
}

static void test_pipe(void)
{
    int pair[2];
    uint8_t buffer[16];
    assert(pipe(pair) == 0);
    assert(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 50) == -EAGAIN);
    assert(rsp_send(pair[1], (const uint8_t *)"+", 1) == 1);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 50) == 1 && buffer[0] == '+');
    close(pair[1]);
    assert(rsp_receive(pair[0], buffer, sizeof buffer, 50) == 0);
    close(pair[0]);
}

/* A set without presence and one in which bit 1 of the word at 152 tells of everything behind offset 8. */
static const rsp_piece PLAN[] = {
    {0, 8, 0, 8, REGISTER_COPY, 0},
    {0, 4, 8, 1, REGISTER_FTAG, 1},
    {0, 6, 12, 2, REGISTER_MASK11, 1},
    {0, 0, 16, 2, REGISTER_ZX, 1},
    {2, 148, 20, 4, REGISTER_COPY, 1},
};
enum { GENERAL = 16, XSTATE = 160, WORD = 152, BLOCK_SIZE = 24 };
static uint8_t initial[XSTATE];
static const rsp_layout LAYOUT = {
    PLAN, 5, BLOCK_SIZE, 2, {{1, GENERAL, -1, NULL}, {2, XSTATE, WORD, initial}}};
static uint8_t image[XSTATE] = {0x7f, 0x03};

static void fill_image(void)
{
    image[3] = 7 << 3;       /* TOP is 7: ST(0) is physical register 7 */
    image[4] = 0x80;         /* and the only one in use */
    image[32 + 7] = 0x80;    /* 1.0 */
    image[32 + 8] = 0xff;
    image[32 + 9] = 0x3f;
    image[6] = image[7] = 0xff;
    memcpy(image + 148, "wxyz", 4);
    memset(initial, 'i', sizeof initial);
    image[WORD] = 0;
}

static void test_registers(void)
{
    fill_image();
    uint8_t *general = exact("0123456789abcdef", GENERAL), *xstate = exact(image, XSTATE), *block = malloc(BLOCK_SIZE);
    const uint8_t *images[] = {general, xstate};
    rsp_gather(&LAYOUT, images, block);
    assert(memcmp(block, "89abcdef\xff\x3f\0\0\xff\x07\0\0\x7f\x03\0\0iiii", BLOCK_SIZE) == 0);
    xstate[WORD] = 2;
    rsp_gather(&LAYOUT, images, block);
    assert(memcmp(block + 20, "wxyz", 4) == 0);
    free(general);
    free(xstate);
    free(block);
}

/* 16 readable bytes at 0x1000 of process 7, and the registers of thread 8. */
static int64_t read_memory(int pid, uint64_t address, uint8_t *buffer, uint64_t size)
{
    if (pid != 7 || address < 0x1000 || address >= 0x1010)
        return -EFAULT;
    uint64_t left = 0x1010 - address, count = size < left ? size : left;
    memcpy(buffer, "0123456789}bcdef" + (address - 0x1000), count);
    return (int64_t)count;
}

static int read_regset(int tid, int type, uint8_t *buffer, int size)
{
    if (tid != 8)
        return -ESRCH;
    memcpy(buffer, type == 1 ? (const uint8_t *)"0123456789abcdef" : image, (size_t)size);
    return size;
}

static rsp_reads reads_of(uint8_t *scratch)
{
    return (rsp_reads){read_memory, read_regset, 7, 8, &LAYOUT, scratch, (const uint8_t *)"QC8", 3, 1, NULL, 0};
}

static int answers(const rsp_reads *reads, const char *packet, int64_t capacity, const char *expected)
{
    uint8_t *body = exact(packet, (int64_t)strlen(packet)), *reply = malloc((size_t)capacity + 1);
    int64_t length = rsp_answer(reads, body, (int64_t)strlen(packet), reply, capacity);
    int same = expected ? length == (int64_t)strlen(expected) && !memcmp(reply, expected, strlen(expected)) : length == -1;
    free(body);
    free(reply);
    return same;
}

static void test_answers(void)
{
    uint8_t *scratch = malloc(GENERAL + XSTATE + BLOCK_SIZE);
    rsp_reads reads = reads_of(scratch);
    fill_image();
    assert(answers(&reads, "m1000,2", 4, "3031"));
    assert(answers(&reads, "m1000,2", 3, NULL)); /* no room */
    assert(answers(&reads, "m100e,8", 64, "6566"));
    assert(answers(&reads, "mfff,1", 64, NULL));
    assert(answers(&reads, "x100a,3", 64, "}bc"));
    assert(answers(&reads, "g", 48, "3839616263646566" "ff3f0000" "ff070000" "7f030000" "69696969"));
    assert(answers(&reads, "g", 47, NULL));
    assert(answers(&reads, "qC", 3, "QC8"));
    static const char *const others[] = {"",       "m",       "m1000",    "m,2",       "m1000,",   "m1000,0", "m1000,2;",
                                         "m1000 2", "mx,2",   "m10000000000000000,1", "m1000,fffffffffffffff", "gg",
                                         "g;thread:8;", "qCRC:0,1", "q", "X1000,1:a", "p0"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert(answers(&reads, others[i], 64, NULL));
    reads.reads_binary = 2;
    assert(answers(&reads, "x1000,2", 4, "b01"));
    reads.tid = 9;
    assert(answers(&reads, "g", 64, NULL));
    reads = (rsp_reads){0};
    assert(answers(&reads, "m1000,2", 64, NULL) && answers(&reads, "g", 64, NULL) && answers(&reads, "qC", 64, NULL));
    free(scratch);
}

static void test_files(void)
{
    FILE *content = tmpfile();
    int pipe_ends[2];
    assert(content && write(fileno(content), "0123456789abcdefghij", 20) == 20 && pipe(pipe_ends) == 0);
    rsp_file files[] = {{3, pipe_ends[0]}, {10, fileno(content)}};
    rsp_reads reads = {.files = files, .files_count = 2};
    assert(answers(&reads, "vFile:pread:a,4,2", 64, "F4;2345"));
    assert(answers(&reads, "vFile:pread:a,2f,0", 64, "F14;0123456789abcdefghij"));
    assert(answers(&reads, "vFile:pread:a,10,0", 33, "F10;0123456789abcdef"));
    assert(answers(&reads, "vFile:pread:a,11,0", 33, NULL)); /* no room */
    assert(answers(&reads, "vFile:pread:a,1,0", 3, NULL));
    assert(answers(&reads, "vFile:pread:a,0,0", 64, "F0;"));
    assert(answers(&reads, "vFile:pread:a,5,7fffffffffffff00", 64, "F0;"));
    static const char *const others[] = {
        "vFile:pread:", "vFile:pread:a", "vFile:pread:a,1", "vFile:pread:a,1,", "vFile:pread:a,1,0,", "vFile:pread:,1,0",
        "vFile:pread:b,1,0", "vFile:pread:3,1,0" /* a pipe */, "vFile:pread:a,ffffffffffffffff,0", "vFile:pread:a,-1,0",
        "vFile:pread:a,1,8000000000000000", "vFile:pread:10000000a,1,0", "vFile:pwrite:a,1,0", "vFile:fstat:a"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert(answers(&reads, others[i], 64, NULL));
    reads = (rsp_reads){0};
    assert(answers(&reads, "vFile:pread:a,4,2", 64, NULL));
    fclose(content);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void say(int descriptor, const char *text)
{
    assert(send(descriptor, text, strlen(text), 0) == (ssize_t)strlen(text));
}

static int hears(int descriptor, const char *text)
{
    char heard[64];
    ssize_t got = recv(descriptor, heard, sizeof heard, MSG_DONTWAIT);
    return got == (ssize_t)strlen(text) && !memcmp(heard, text, strlen(text));
}

static void test_turns(void)
{
    int pair[2];
    uint8_t *scratch = malloc(GENERAL + XSTATE + BLOCK_SIZE), reply[64], out[132], incoming[64];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    rsp_conversation talk = {.descriptor = pair[0], .wait_us = 1000, .most = 1, .reply = reply, .capacity = sizeof reply,
                             .out = out, .out_capacity = sizeof out, .incoming = incoming,
                             .incoming_capacity = sizeof incoming};
    assert(rsp_converse(&talk) == 0);
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE && hears(pair[1], "$OK#9a"));
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"", 0) == 2 && !memcmp(incoming + 1, "qC", 2) && hears(pair[1], "$#00"));
    talk.reads = reads_of(scratch);
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE);
    assert(talk.answered == 1 && hears(pair[1], "$OK#9a$QC8#cc"));
    say(pair[1], "$qC#b4$qC#b4"); /* two at once are for somebody else */
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_OTHER && talk.count == 12);
    talk.most = 0;
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 2 && talk.answered == 1);
    assert(rsp_turn(&talk, incoming, 65) == -1 - RSP_TURN_TOO_LONG);
    close(pair[1]);
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1000 - EPIPE);
    close(pair[0]);
    free(scratch);
}

static void test_lines(void)
{
    static const uint8_t body[] = "@\\\n\r\t\x7f\xff$ ";
    static const char text[] = "\\x40\\\\\\n\\r\\t\\x7f\\xff$\\x20";
    uint8_t *in = exact(body, sizeof body - 1), *out = malloc(4 * (sizeof body - 1));
    assert(rsp_escape_line(in, 0, out) == 0);
    assert(rsp_escape_line(in, sizeof body - 1, out) == sizeof text - 1 && !memcmp(out, text, sizeof text - 1));
    for (int64_t length = 1; length < 200; length++) {
        uint8_t *bytes = malloc((size_t)length), *room = malloc((size_t)(4 * length));
        fill(bytes, length);
        bytes[next_random() % length] = (uint8_t)next_random();
        int64_t size = rsp_escape_line(bytes, length, room);
        for (int64_t i = 0; i < size; i++)
            assert(room[i] >= ' ' && room[i] <= '~');
        free(bytes);
        free(room);
    }
    free(in);
    free(out);
}

/* The room is exactly what a line may need, and one byte less is refused. */
static void test_journal(void)
{
    uint8_t worst[9], *room = malloc(RSP_LINE_OVERHEAD + 4 * sizeof worst);
    memset(worst, 0xff, sizeof worst);
    /* More seconds than a transcript's nine digits. */
    rsp_journal journal = {.room = {.start = room, .size = RSP_LINE_OVERHEAD + 4 * sizeof worst},
                           .start = rsp_clock() - 9999999999999999999ull / 10, .longest = 9};
    journal.room.size--;
    assert(rsp_journal_line(&journal, "mark", worst, sizeof worst) == -ENOBUFS && journal.end == 0);
    journal.room.size++;
    assert(rsp_journal_line(&journal, "mark", worst, sizeof worst) == 0);
    assert(journal.end > 0 && journal.end <= journal.room.size && room[journal.end - 1] == '\n');
    assert(rsp_journal_line(&journal, "->", worst, 1) == -ENOBUFS);
    journal.room.start = NULL;
    assert(rsp_journal_line(&journal, "->", NULL, 0) == -ENOBUFS);
    free(room);
}

static void test_exchanges(void)
{
    enum { ROOM = 2 * RSP_LINE_OVERHEAD + 4 * 5 };
    uint8_t *room = malloc(ROOM);
    rsp_journal journal = {.room = {.start = room, .size = ROOM}, .start = rsp_clock(), .longest = 3};
    const uint8_t *packet = (const uint8_t *)"qC", *reply = (const uint8_t *)"QC1";
    assert(rsp_journal_exchange(&journal, journal.start, packet, 2, (const uint8_t *)"OK", 2) == -EINVAL);
    assert(rsp_journal_exchange(&journal, journal.start, (const uint8_t *)"I00", 3, reply, 3) == -EINVAL);
    assert(rsp_journal_exchange(&journal, journal.start, packet, 2, (const uint8_t *)"long", 4) == -ENOBUFS);
    assert(rsp_journal_exchange(&journal, journal.start, packet, 2, reply, 0) == -EINVAL);
    journal.room.size--;
    assert(rsp_journal_exchange(&journal, journal.start, packet, 2, reply, 3) == -ENOBUFS && journal.end == 0);
    journal.room.size++;
    assert(rsp_journal_exchange(&journal, journal.start + 2999, packet, 2, reply, 3) == 0);
    assert(!memcmp(room, "0.000002 <- qC\n", 15) && !memcmp(room + journal.end - 8, " -> QC1\n", 8));
    free(room);
}

/* The digits that xxhsum -H128 gives, of lengths at the edges of its blocks. */
static void test_hash(void)
{
    static const struct {
        int64_t length;
        const char *name;
    } known[] = {
        {241, "75f4da43f23cce5a541b19226f0052e8:241"},   {1024, "a3da96fbd688736171bee625238addb4:1024"},
        {1025, "a53cd4fd16206676d9b414f4e1bbf7ad:1025"}, {1088, "23f3acd8ee6c4cf4b74e423e955e509d:1088"},
        {1089, "518e6d0338d868826acaa6909cdbe786:1089"}, {8193, "3825b3b3acdfb4f9a91db62f11d0b6b5:8193"},
    };
    for (size_t one = 0; one < sizeof known / sizeof *known; one++) {
        int64_t length = known[one].length;
        uint8_t *data = malloc((size_t)length), name[RSP_BODY_NAME];
        uint64_t hash[2];
        for (int64_t i = 0; i < length; i++)
            data[i] = (uint8_t)(i * 7 + (i >> 8));
        rsp_hash(data, length, hash);
        int64_t size = rsp_body_name(hash, length, name);
        assert(size == (int64_t)strlen(known[one].name) && !memcmp(name, known[one].name, (size_t)size));
        free(data);
    }
    uint64_t all[2] = {UINT64_MAX, UINT64_MAX};
    uint8_t *name = malloc(RSP_BODY_NAME);
    assert(rsp_body_name(all, INT64_MAX, name) <= RSP_BODY_NAME);
    free(name);
}

static int64_t file_size(FILE *file)
{
    struct stat status;
    assert(fstat(fileno(file), &status) == 0);
    return status.st_size;
}

/* Large bodies stand once in the side file, as long as there is room for them and for their names. */
static void test_bodies(void)
{
    enum { LARGE = 241, SLOTS = 4, ROOM = 8 * (RSP_LINE_OVERHEAD + RSP_BODY_NAME) };
    uint8_t *body = malloc(LARGE), *text = malloc(ROOM), side[LARGE + 2 * RSP_BODY_NAME];
    uint64_t *few = calloc(2 * SLOTS, sizeof *few), *more = calloc(4 * SLOTS, sizeof *more);
    FILE *file = tmpfile();
    fill(body, LARGE);
    rsp_bodies bodies = {0};
    rsp_journal journal = {.room = {.start = text, .size = ROOM}, .start = rsp_clock(), .longest = LARGE - 1};
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOBUFS);
    journal.bodies = &bodies;
    rsp_move_names(&bodies, few, SLOTS);
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOBUFS);
    bodies.descriptor = open("/dev/full", O_WRONLY);
    if (bodies.descriptor >= 0) {
        assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOSPC);
        close(bodies.descriptor);
    }
    assert(bodies.end == 0 && bodies.count == 0 && journal.end == 0);
    bodies.descriptor = fileno(file);
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0);
    int64_t end = bodies.end;
    assert(end == pread(fileno(file), side, sizeof side, 0) && side[end - 1] == '\n' && bodies.count == 1);
    assert(!memcmp(side + end - 1 - LARGE, body, LARGE) && side[end - 2 - LARGE] == '\n');
    assert(!memcmp(strchr((char *)text, '@') + 1, side, 36) && text[journal.end - 1] == '\n');
    assert(rsp_journal_exchange(&journal, journal.start, body, LARGE, body, LARGE) == 0 && bodies.end == end);
    body[0] ^= 1;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0 && bodies.end == 2 * end && bodies.count == 2);
    body[0] ^= 2; /* there is no place for a third name, which is seen before anything is written */
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOBUFS && file_size(file) == 2 * end);
    rsp_move_names(&bodies, more, 2 * SLOTS);
    assert(bodies.count == 2);
    body[0] ^= 2;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0 && file_size(file) == 2 * end && bodies.count == 2);
    fclose(file);
    free(body);
    free(text);
    free(few);
    free(more);
}

/* A file that is cut off while it is written ends the recording and not the process. */
static void test_lost_rooms(void)
{
    enum { FILES = 3 };
    int64_t page = sysconf(_SC_PAGESIZE);
    const uint8_t *packet = (const uint8_t *)"qC";
    rsp_journal journals[FILES];
    FILE *files[FILES];
    for (int i = 0; i < FILES; i++) {
        files[i] = tmpfile();
        assert(ftruncate(fileno(files[i]), 4 * page) == 0);
        journals[i] = (rsp_journal){.room.size = 4 * page, .start = rsp_clock(), .longest = 9};
        assert(rsp_map(&journals[i].room, fileno(files[i]), 9 * page) == 0);
        assert(rsp_journal_exchange(&journals[i], journals[i].start, packet, 2, packet, 2) == 0);
    }
    assert(rsp_map(&journals[0].room, -1, page) == -EBADF && journals[0].room.start[0] == '0');
    assert(rsp_map(&journals[0].room, fileno(files[0]), 8 * page) == 0 && journals[0].room.start[0] == '0');
    rsp_forget(&journals[0].room, 0, page);
    rsp_unmap(&journals[1].room);
    assert(rsp_journal_line(&journals[1], "<-", packet, 2) == -ENOBUFS);
    for (int i = 0; i < FILES; i += 2) {
        assert(ftruncate(fileno(files[i]), 2 * page) == 0);
        journals[i].end = 2 * page - 1; /* a line across the end */
        assert(rsp_journal_exchange(&journals[i], journals[i].start, packet, 2, packet, 2) == -EIO);
        assert(journals[i].room.lost && journals[i].room.start[0] == '0' && journals[2 - i].room.lost == (i == 2));
        assert(rsp_journal_line(&journals[i], "<-", packet, 2) == -EIO);
    }
    for (int i = FILES; i-- > 0;) {
        rsp_unmap(&journals[i].room);
        rsp_unmap(&journals[i].room);
        assert(!journals[i].room.start);
        fclose(files[i]);
    }
}

/* What is nobody's room still ends the process, by whatever way it comes. */
static void test_other_bus_errors(void)
{
    rsp_room room = {0};
    FILE *file = tmpfile();
    assert(rsp_map(&room, fileno(file), 1) == 0);
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            signal(SIGALRM, SIG_DFL);
            alarm(10);
            volatile uint8_t *bytes = mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fileno(file), 0);
            if (i)
                raise(SIGBUS);
            else if (bytes != MAP_FAILED)
                *bytes = 1;
            _exit(0);
        }
        assert(child > 0 && waitpid(child, &status, 0) == child);
        assert(status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM));
    }
    rsp_unmap(&room);
    fclose(file);
}

/* What a turn answers is written down; what cannot be is handed over and not answered. */
static void test_recorded_turns(void)
{
    int pair[2];
    uint8_t *scratch = malloc(GENERAL + XSTATE + BLOCK_SIZE), reply[64], out[132], incoming[64], room[128];
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    rsp_journal journal = {.room = {.start = room, .size = sizeof room}, .start = rsp_clock(), .longest = 64};
    rsp_conversation talk = {.descriptor = pair[0], .wait_us = 1000, .most = 4, .reply = reply, .capacity = sizeof reply,
                             .out = out, .out_capacity = sizeof out, .incoming = incoming,
                             .incoming_capacity = sizeof incoming, .reads = reads_of(scratch), .journal = &journal};
    assert(rsp_converse(&talk) == 0);
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE);
    assert(talk.answered == 1 && hears(pair[1], "$OK#9a$QC8#cc"));
    int64_t end = journal.end;
    assert(end > 0 && !memcmp(room + end - 8, " -> QC8\n", 8));
    journal.room.size = end + 1;
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 2 && talk.answered == 1 && journal.end == end);
    journal.room.start = NULL; /* The recording has ended: the session goes on. */
    say(pair[1], "$qC#b4");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE && talk.answered == 2);
    close(pair[0]);
    close(pair[1]);
    free(scratch);
}

/* The bytes may be the second half of the room for their digits. */
static void test_hex(void)
{
    for (int64_t length = 0; length < 300; length++) {
        uint8_t *text = malloc((size_t)(2 * length + 1)), *data = malloc((size_t)(length + 1));
        char digits[3];
        for (int64_t i = 0; i < length; i++)
            text[length + i] = data[i] = (uint8_t)next_random();
        rsp_hex(text, text + length, length);
        for (int64_t i = 0; i < length; i++) {
            sprintf(digits, "%02x", data[i]);
            assert(!memcmp(text + 2 * i, digits, 2));
        }
        free(text);
        free(data);
    }
}

static void test_parts(void)
{
    const uint8_t *registers = exact("\x01\x02\x03\xff", 4);
    rsp_part parts[] = {{(const uint8_t *)"T0506:", 6, 2, 2}, {(const uint8_t *)";07:", 4, 0, 1}, {(const uint8_t *)";", 1, 0, 0}};
    rsp_form form = {parts, 3};
    uint8_t *reply = malloc(17);
    assert(rsp_compose(&form, registers, 4, reply, 17) == 17 && !memcmp(reply, "T0506:03ff;07:01;", 17));
    assert(rsp_compose(&form, registers, 4, reply, 16) == -1);
    assert(rsp_compose(&form, registers, 3, reply, 17) == -1);
    free(reply);
    free((void *)registers);
}

static int64_t carry_out(void *with, uint8_t *reply, int64_t capacity)
{
    int64_t *result = with;
    assert(*result <= capacity);
    memset(reply, '!', (size_t)(*result > 0 ? *result : 0));
    return *result;
}

static void test_repeats(void)
{
    int pair[2];
    uint8_t reply[64], out[132], incoming[64];
    int64_t done = 2, not_done = RSP_REPEATED_NOT, partly = RSP_REPEATED_PARTLY;
    rsp_repeat repeats[] = {{(const uint8_t *)"a", 1, carry_out, &not_done, 0},
                            {(const uint8_t *)"abc", 3, carry_out, &done, 0},
                            {(const uint8_t *)"abd", 3, carry_out, &partly, 0}};
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    rsp_conversation talk = {.descriptor = pair[0], .wait_us = 1000, .most = 2, .reply = reply, .capacity = sizeof reply,
                             .out = out, .out_capacity = sizeof out, .incoming = incoming,
                             .incoming_capacity = sizeof incoming, .repeats = repeats, .repeats_count = 3};
    assert(rsp_converse(&talk) == 0);
    say(pair[1], "$abc#26");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE && hears(pair[1], "$OK#9a$!!#42"));
    assert(talk.answered == 1 && talk.repeated == 1 && repeats[1].at == 1);
    say(pair[1], "$abd#27");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_REPEATED && talk.count == 2 && !repeats[2].at);
    assert(hears(pair[1], "$OK#9a"));
    say(pair[1], "$a#61");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 1 && talk.answered == 1);
    say(pair[1], "$ab#c3"); /* the beginning of one is another packet */
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 2 && talk.answered == 1);
    talk.repeats_count = 1;
    say(pair[1], "$abc#26");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 3 && talk.answered == 1);
    while (recv(pair[1], incoming, sizeof incoming, MSG_DONTWAIT) > 0) {
    }
    talk.repeats_count = 3;
    uint8_t *room = malloc(8192);
    rsp_journal journal = {.room = {.start = room, .size = 8192}, .start = rsp_clock(), .longest = 64};
    talk.journal = &journal;
    say(pair[1], "$abc#26");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE && talk.answered == 2);
    assert(!memcmp(room + journal.end - 7, " -> !!\n", 7));
    say(pair[1], "$abd#27");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_REPEATED);
    int64_t end = journal.end;
    assert(!memcmp(room + end - 8, " <- abd\n", 8)); /* the reply's line comes with the reply */
    say(pair[1], "$a#61");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 1 && journal.end == end);
    journal.room.size = end + 4096; /* what has no room is not carried out */
    say(pair[1], "$abc#26");
    assert(rsp_turn(&talk, (const uint8_t *)"OK", 2) == 3 && talk.answered == 2 && journal.end == end);
    free(room);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    test_frames();
    test_round_trips();
    test_garbage();
    test_socket();
    test_pipe();
    test_registers();
    test_answers();
    test_files();
    test_turns();
    test_lines();
    test_journal();
    test_exchanges();
    test_hash();
    test_bodies();
    test_lost_rooms();
    test_other_bus_errors();
    test_recorded_turns();
    test_hex();
    test_parts();
    test_repeats();
    puts("all passed");
    return 0;
}
