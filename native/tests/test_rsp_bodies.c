/* The side file: names, and what is kept under them. */
#include "test_rsp.h"

/* The digits that xxhsum -H128 gives, of lengths at the edges of its blocks. */
void test_hash(void)
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

enum { LARGE = 2 * RSP_LEAST_HASHED, SLOTS = 8, SIDE = 4 * (LARGE + RSP_BODY_OVERHEAD) };

static void expect_record(const uint8_t *record, const uint8_t *name, const uint8_t *kept, int64_t size)
{
    const uint8_t *end = memchr(record, '\n', RSP_BODY_OVERHEAD);
    char *digits;
    assert(end && !memcmp(record, name, 36) && record[36] == ' ' && strtol((const char *)record + 37, &digits, 10) == size);
    assert(digits == (const char *)end && !memcmp(end + 1, kept, (size_t)size) && !memcmp(end + 1 + size, "\n", 2));
}

/* Large bodies stand once in the side file, as long as there is room for them and for their names. */
void test_bodies(void)
{
    uint8_t *body = malloc(LARGE), *text = malloc(4096), *side = calloc(SIDE, 1);
    uint64_t *few = calloc(2 * SLOTS, sizeof *few), *more = calloc(4 * SLOTS, sizeof *more);
    rsp_bodies bodies = {.room = {.start = side, .size = SIDE}};
    rsp_journal journal = {.room = {.start = text, .size = 4096}, .start = rsp_clock(), .longest = LARGE - 1};
    memset(body, 'z', LARGE);
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOSPC);
    journal.bodies = &bodies;
    rsp_move_names(&bodies, few, 1);
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOSPC);
    rsp_move_names(&bodies, few, SLOTS);
    bodies.room.size = LARGE + RSP_BODY_OVERHEAD - 1;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -ENOSPC && bodies.end == 0 && journal.end == 0 && !side[0]);
    bodies.room.size = SIDE;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0 && bodies.count == 1);
    int64_t end = bodies.end;
    expect_record(side, (uint8_t *)strchr((char *)text, '@') + 1, body, LARGE);
    rsp_body twice = {body, LARGE, NULL};
    assert(rsp_journal_exchange(&journal, journal.start, &twice, &twice) == 0 && bodies.end == end && !side[end]);
    body[0] ^= 1;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0 && bodies.end >= end + LARGE && bodies.count == 2);
    int64_t both = bodies.end;
    rsp_move_names(&bodies, more, 2 * SLOTS);
    assert(rsp_journal_line(&journal, "->", body, LARGE) == 0 && bodies.end == both && bodies.count == 2);
    bodies.room.lost = 1;
    body[0] ^= 2;
    assert(rsp_journal_line(&journal, "->", body, LARGE) == -EIO && bodies.end == both && bodies.count == 2);
    free(body);
    free(text);
    free(side);
    free(few);
    free(more);
}

/* Of nothing but digits the bytes are kept that they stand for, whether those are given or not. */
void test_digits(void)
{
    uint8_t plain[RSP_LEAST_HASHED + 40], digits[2 * sizeof plain], *side = calloc(SIDE, 1), name[2][RSP_BODY_NAME];
    for (int64_t size = RSP_LEAST_HASHED; size <= (int64_t)sizeof plain; size++) {
        uint64_t names[2 * SLOTS] = {0};
        rsp_bodies bodies = {.room = {.start = side, .size = SIDE}, .names = names, .slots = SLOTS};
        for (int64_t i = 0; i < size; i++)
            plain[i] = (uint8_t)(next_random() >> 3);
        rsp_hex(digits, plain, size);
        rsp_body known = {digits, 2 * size, plain}, unknown = {digits, 2 * size, NULL};
        int64_t length = rsp_keep_body(&bodies, &unknown, name[0]), end = bodies.end;
        assert(length > 0 && rsp_keep_body(&bodies, &known, name[1]) == length && !memcmp(name[0], name[1], (size_t)length));
        expect_record(side, name[0], plain, size);
        assert(bodies.end == end);
        int64_t odd = next_random() % (uint64_t)(2 * size);
        for (const char *other = "GAg/:`"; *other; other++) {
            digits[odd] = (uint8_t)*other;
            bodies.end = bodies.count = 0;
            memset(names, 0, sizeof names);
            assert(rsp_keep_body(&bodies, &unknown, name[0]) > 0);
            expect_record(side, name[0], digits, 2 * size);
        }
    }
    free(side);
}
