/* Tests of rsp*.c and registers.c, for running under ASan and UBSan: framing, bytes in and out, digits. */
#include "test_rsp.h"

#include <fcntl.h>

uint8_t *exact(const void *data, int64_t length)
{
    uint8_t *copy = malloc(length ? (size_t)length : 1);
    assert(copy);
    memcpy(copy, data, (size_t)length);
    return copy;
}

rsp_body body_of(const char *text)
{
    return (rsp_body){(const uint8_t *)text, (int64_t)strlen(text), NULL};
}

static uint32_t seed = 1;

uint32_t next_random(void)
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

void fill(uint8_t *body, int64_t length)
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
    test_first_reads();
    test_turns();
    test_lines();
    test_journal();
    test_exchanges();
    test_hash();
    test_bodies();
    test_digits();
    test_lost_rooms();
    test_other_bus_errors();
    test_growth();
    test_growth_of_a_file_cut_off();
    test_growth_with_a_limit();
    test_recorded_turns();
    test_hex();
    test_parts();
    test_repeats();
    test_recorded_repeats();
    puts("all passed");
    return 0;
}
