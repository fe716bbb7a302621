/* What is written down. */
#include "test_rsp.h"

void test_lines(void)
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
void test_journal(void)
{
    uint8_t worst[9], *room = malloc(RSP_LINE_OVERHEAD + 4 * sizeof worst);
    memset(worst, 0xff, sizeof worst);
    /* More seconds than a transcript's nine digits. */
    rsp_journal journal = {.room = {.start = room, .size = RSP_LINE_OVERHEAD + 4 * sizeof worst},
                           .start = rsp_clock() - 9999999999999999999ull / 10, .longest = 4 * sizeof worst};
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

void test_exchanges(void)
{
    enum { ROOM = 2 * RSP_LINE_OVERHEAD + 4 * 5 };
    uint8_t *room = malloc(ROOM);
    rsp_journal journal = {.room = {.start = room, .size = ROOM}, .start = rsp_clock(), .longest = 3};
    rsp_body packet = body_of("qC"), reply = body_of("QC1"), end = body_of("OK"), input = body_of("I00"), none = body_of(""),
             large = body_of("long"), wide = body_of("\xff");
    assert(rsp_journal_exchange(&journal, journal.start, &packet, &end) == -EINVAL);
    assert(rsp_journal_exchange(&journal, journal.start, &input, &reply) == -EINVAL);
    assert(rsp_journal_exchange(&journal, journal.start, &packet, &none) == -EINVAL);
    assert(rsp_journal_exchange(&journal, journal.start, &packet, &large) == -ENOSPC);
    assert(rsp_journal_exchange(&journal, journal.start, &wide, &reply) == -ENOSPC);
    journal.room.size--;
    assert(rsp_journal_exchange(&journal, journal.start, &packet, &reply) == -ENOBUFS && journal.end == 0);
    journal.room.size++;
    assert(rsp_journal_exchange(&journal, journal.start + 2999, &packet, &reply) == 0);
    assert(!memcmp(room, "0.000002 <- qC\n", 15) && !memcmp(room + journal.end - 8, " -> QC1\n", 8));
    free(room);
}
