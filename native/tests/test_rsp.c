/* Tests of rsp.c, rsp_io.c and registers.c, for running under ASan and UBSan:
 * every buffer is exactly as large as promised, so that one byte too many is seen. */

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

static void test_registers(void)
{
    static const rsp_piece PLAN[] = {
        {REGISTER_COPY, 0, 8, 0, 8},
        {REGISTER_FTAG, 1, 4, 8, 1},
        {REGISTER_MASK11, 1, 6, 12, 2},
        {REGISTER_ZX, 1, 0, 16, 2},
    };
    uint8_t *general = exact("0123456789abcdef", 16);
    uint8_t image[160] = {0x7f, 0x03};
    image[3] = 7 << 3;       /* TOP is 7: ST(0) is physical register 7 */
    image[4] = 0x80;         /* and the only one in use */
    image[32 + 7] = 0x80;    /* 1.0 */
    image[32 + 8] = 0xff;
    image[32 + 9] = 0x3f;
    image[6] = image[7] = 0xff;
    uint8_t *xstate = exact(image, sizeof image);
    uint8_t *block = malloc(20);
    rsp_gather(PLAN, 4, general, xstate, block);
    assert(memcmp(block, "89abcdef\xff\x3f\0\0\xff\x07\0\0\x7f\x03\0\0", 20) == 0);

    memset(general, 0, 16);
    memset(xstate, 0, sizeof image);
    rsp_scatter(PLAN, 4, block, general, xstate);
    assert(memcmp(general, "\0\0\0\0\0\0\0\0" "89abcdef", 16) == 0);
    assert(memcmp(xstate, "\x7f\x03\0\0\x80\0\xff\x07", 8) == 0);
    free(general);
    free(xstate);
    free(block);
}

int main(void)
{
    test_frames();
    test_round_trips();
    test_garbage();
    test_socket();
    test_pipe();
    test_registers();
    puts("all passed");
    return 0;
}
