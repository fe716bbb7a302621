/* What is written down. */
#include "test_rsp.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

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

void test_exchanges(void)
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

static int64_t file_size(FILE *file)
{
    struct stat status;
    assert(fstat(fileno(file), &status) == 0);
    return status.st_size;
}

/* Large bodies stand once in the side file, as long as there is room for them and for their names. */
void test_bodies(void)
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
void test_lost_rooms(void)
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
void test_other_bus_errors(void)
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
