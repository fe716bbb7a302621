/* Turns of a conversation over a socket. */
#include "test_rsp.h"

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

/* A conversation over one end of a socket pair; the test has the other. */
struct link {
    int pair[2];
    rsp_conversation talk;
};

static void open_link(struct link *link, int most)
{
    enum { CAPACITY = 64, ROOM = 132 };
    assert(socketpair(AF_UNIX, SOCK_STREAM, 0, link->pair) == 0);
    link->talk = (rsp_conversation){.descriptor = link->pair[0], .wait_us = 1000, .most = most,
                                    .reply = malloc(CAPACITY), .capacity = CAPACITY,
                                    .out = malloc(ROOM), .out_capacity = ROOM,
                                    .incoming = malloc(CAPACITY), .incoming_capacity = CAPACITY};
    assert(rsp_converse(&link->talk) == 0);
}

static void close_link(struct link *link)
{
    close(link->pair[0]);
    close(link->pair[1]);
    free(link->talk.reply);
    free(link->talk.out);
    free(link->talk.incoming);
}

/* The client sends `packet`, which the server sees when it has replied OK to the one before. */
static int64_t turn(struct link *link, const char *packet)
{
    say(link->pair[1], packet);
    return rsp_turn(&link->talk, (const uint8_t *)"OK", 2);
}

void test_turns(void)
{
    struct link link;
    rsp_conversation *talk = &link.talk;
    uint8_t *scratch = malloc(GENERAL + XSTATE + BLOCK_SIZE);
    open_link(&link, 1);
    assert(rsp_turn(talk, (const uint8_t *)"OK", 2) == -1 - RSP_TURN_SILENCE && hears(link.pair[1], "$OK#9a"));
    say(link.pair[1], "$qC#b4");
    assert(rsp_turn(talk, (const uint8_t *)"", 0) == 2 && !memcmp(talk->incoming + 1, "qC", 2) && hears(link.pair[1], "$#00"));
    talk->reads = reads_of(scratch);
    assert(turn(&link, "$qC#b4") == -1 - RSP_TURN_SILENCE);
    assert(talk->answered == 1 && hears(link.pair[1], "$OK#9a$QC8#cc"));
    /* two at once are for somebody else */
    assert(turn(&link, "$qC#b4$qC#b4") == -1 - RSP_TURN_OTHER && talk->count == 12);
    talk->most = 0;
    assert(turn(&link, "$qC#b4") == 2 && talk->answered == 1);
    assert(rsp_turn(talk, talk->incoming, 65) == -1 - RSP_TURN_TOO_LONG);
    shutdown(link.pair[1], SHUT_RDWR);
    assert(rsp_turn(talk, (const uint8_t *)"OK", 2) == -1000 - EPIPE);
    close_link(&link);
    free(scratch);
}

/* What a turn answers is written down; what cannot be is handed over and not answered. */
void test_recorded_turns(void)
{
    struct link link;
    rsp_conversation *talk = &link.talk;
    uint8_t *scratch = malloc(GENERAL + XSTATE + BLOCK_SIZE), room[128];
    rsp_journal journal = {.room = {.start = room, .size = sizeof room}, .start = rsp_clock(), .longest = 64};
    open_link(&link, 4);
    talk->reads = reads_of(scratch);
    talk->journal = &journal;
    assert(turn(&link, "$qC#b4") == -1 - RSP_TURN_SILENCE);
    assert(talk->answered == 1 && hears(link.pair[1], "$OK#9a$QC8#cc"));
    int64_t end = journal.end;
    assert(end > 0 && !memcmp(room + end - 8, " -> QC8\n", 8));
    journal.room.size = end + 1;
    assert(turn(&link, "$qC#b4") == 2 && talk->answered == 1 && journal.end == end);
    journal.room.start = NULL; /* The recording has ended: the session goes on. */
    assert(turn(&link, "$qC#b4") == -1 - RSP_TURN_SILENCE && talk->answered == 2);
    close_link(&link);
    free(scratch);
}

static int64_t carry_out(void *with, uint8_t *reply, int64_t capacity)
{
    int64_t *result = with;
    assert(*result <= capacity);
    memset(reply, '!', (size_t)(*result > 0 ? *result : 0));
    return *result;
}

static int64_t done = 2, not_done = RSP_REPEATED_NOT, partly = RSP_REPEATED_PARTLY;
static rsp_repeat repeats[] = {{(const uint8_t *)"a", 1, carry_out, &not_done, 0},
                               {(const uint8_t *)"abc", 3, carry_out, &done, 0},
                               {(const uint8_t *)"abd", 3, carry_out, &partly, 0}};

void test_repeats(void)
{
    struct link link;
    rsp_conversation *talk = &link.talk;
    open_link(&link, 2);
    talk->repeats = repeats;
    talk->repeats_count = 3;
    assert(turn(&link, "$abc#26") == -1 - RSP_TURN_SILENCE && hears(link.pair[1], "$OK#9a$!!#42"));
    assert(talk->answered == 1 && talk->repeated == 1 && repeats[1].at == 1);
    assert(turn(&link, "$abd#27") == -1 - RSP_TURN_REPEATED && talk->count == 2 && !repeats[2].at);
    assert(hears(link.pair[1], "$OK#9a"));
    assert(turn(&link, "$a#61") == 1 && talk->answered == 1);
    /* the beginning of one is another packet */
    assert(turn(&link, "$ab#c3") == 2 && talk->answered == 1);
    talk->repeats_count = 1;
    assert(turn(&link, "$abc#26") == 3 && talk->answered == 1);
    close_link(&link);
}

void test_recorded_repeats(void)
{
    struct link link;
    rsp_conversation *talk = &link.talk;
    uint8_t *room = malloc(8192);
    rsp_journal journal = {.room = {.start = room, .size = 8192}, .start = rsp_clock(), .longest = 64};
    open_link(&link, 2);
    talk->repeats = repeats;
    talk->repeats_count = 3;
    talk->journal = &journal;
    assert(turn(&link, "$abc#26") == -1 - RSP_TURN_SILENCE && talk->answered == 1);
    assert(!memcmp(room + journal.end - 7, " -> !!\n", 7));
    assert(turn(&link, "$abd#27") == -1 - RSP_TURN_REPEATED);
    int64_t end = journal.end;
    assert(!memcmp(room + end - 8, " <- abd\n", 8)); /* the reply's line comes with the reply */
    assert(turn(&link, "$a#61") == 1 && journal.end == end);
    journal.room.size = end + 4096; /* what has no room is not carried out */
    assert(turn(&link, "$abc#26") == 3 && talk->answered == 1 && journal.end == end);
    free(room);
    close_link(&link);
}
