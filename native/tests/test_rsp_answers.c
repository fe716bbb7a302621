/* Packets that C answers by itself, and the layout of registers. */
#include "test_rsp.h"

/* A set without presence and one in which bit 1 of the word at 152 tells of everything behind offset 8. */
static const rsp_piece PLAN[] = {
    {0, 8, 0, 8, REGISTER_COPY, 0},
    {0, 4, 8, 1, REGISTER_FTAG, 1},
    {0, 6, 12, 2, REGISTER_MASK11, 1},
    {0, 0, 16, 2, REGISTER_ZX, 1},
    {2, 148, 20, 4, REGISTER_COPY, 1},
};

static uint8_t initial[XSTATE];

static const rsp_layout LAYOUT = {
    PLAN, 5, BLOCK_SIZE, 2, {{1, GENERAL, -1, NULL}, {2, XSTATE, WORD, initial}}};

static uint8_t image[XSTATE] = {0x7f, 0x03};

void fill_image(void)
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

void test_registers(void)
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

rsp_reads reads_of(uint8_t *scratch)
{
    return (rsp_reads){read_memory, read_regset, 7, 8, scratch, &LAYOUT, scratch, (const uint8_t *)"QC8", 3, 1, NULL, 0};
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

void test_answers(void)
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

void test_files(void)
{
    FILE *content = tmpfile();
    int pipe_ends[2];
    assert(content && write(fileno(content), "0123456789abcdefghij", 20) == 20 && pipe(pipe_ends) == 0);
    rsp_file files[] = {{3, pipe_ends[0], UINT64_MAX}, {10, fileno(content), UINT64_MAX}};
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

/* Who jumps about in a file gets less than is asked for, who reads on gets all. */
void test_first_reads(void)
{
    enum { SIZE = 4 * RSP_FIRST_READ, CAPACITY = 2 * SIZE };
    static const struct {
        uint64_t offset, size, got;
    } reads_in_turn[] = {
        {0, SIZE, RSP_FIRST_READ},
        {RSP_FIRST_READ, 2 * RSP_FIRST_READ, 2 * RSP_FIRST_READ},
        {3 * RSP_FIRST_READ, SIZE, RSP_FIRST_READ}, /* the end of the file */
        {SIZE, SIZE, 0},
        {0x40, SIZE, RSP_FIRST_READ},
        {0, RSP_FIRST_READ, RSP_FIRST_READ},
        {RSP_FIRST_READ + 1, RSP_FIRST_READ + 1, RSP_FIRST_READ},
    };
    FILE *content = tmpfile();
    uint8_t *bytes = malloc(SIZE), *reply = malloc(CAPACITY);
    for (int64_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i >> 8);
    assert(content && write(fileno(content), bytes, SIZE) == SIZE);
    rsp_file file = {10, fileno(content), UINT64_MAX};
    rsp_reads reads = {.files = &file, .files_count = 1};
    for (size_t i = 0; i < sizeof reads_in_turn / sizeof *reads_in_turn; i++) {
        uint64_t offset = reads_in_turn[i].offset, got = reads_in_turn[i].got;
        char packet[64], head[32];
        int length = snprintf(packet, sizeof packet, "vFile:pread:a,%x,%x", (unsigned)reads_in_turn[i].size, (unsigned)offset);
        int size = snprintf(head, sizeof head, "F%x;", (unsigned)got);
        assert(rsp_answer(&reads, (uint8_t *)packet, length, reply, CAPACITY) == size + (int64_t)got);
        assert(!memcmp(reply, head, (size_t)size) && !memcmp(reply + size, bytes + offset, got));
    }
    fclose(content);
    free(bytes);
    free(reply);
}
