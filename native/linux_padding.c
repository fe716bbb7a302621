/* Room for moved instructions: the rest of the last page of a module's code, behind the end of its segment. It is
 * mapped and executable, and holds whatever comes next in the file, which nobody looks for there. */
#define _GNU_SOURCE
#include "linux_tracer.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

struct mapping {
    unsigned long start, end, offset, inode;
    char permissions[8], device[16];
};

static bool same_file(const struct mapping *one, const struct mapping *other) {
    return one->inode == other->inode && strcmp(one->device, other->device) == 0;
}

/* The private executable mapping of a file around `address`, and where that file begins. */
static bool find_code(pid_t pid, uint64_t address, struct mapping *code, uint64_t *base) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    struct mapping first = {0}, one;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx %7s %lx %15s %lu", &one.start, &one.end, one.permissions, &one.offset, one.device,
                   &one.inode) != 6)
            continue; /* the rest of a long name */
        if (!one.offset)
            first = one;
        found = address >= one.start && address < one.end;
    }
    if (file)
        fclose(file);
    *code = one;
    *base = first.start;
    return found && one.inode && same_file(&one, &first) && strcmp(one.permissions, "r-xp") == 0;
}

static bool read_exactly(pid_t pid, uint64_t address, void *buffer, uint64_t size) {
    return linux_read_memory(pid, address, buffer, size) == (int64_t)size;
}

/* elf(5): the end of the segment that `address` is in; 0: it is not to be found. */
static uint64_t segment_end(pid_t pid, uint64_t base, uint64_t address) {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    uint64_t bias = 0;
    bool first = true;
    if (!read_exactly(pid, base, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof segment || header.e_phnum > 64)
        return 0;
    for (int i = 0; i < header.e_phnum; i++) {
        if (!read_exactly(pid, base + header.e_phoff + (uint64_t)i * sizeof segment, &segment, sizeof segment))
            return 0;
        if (segment.p_type != PT_LOAD)
            continue;
        if (first)
            bias = base - (segment.p_vaddr & ~0xfffull);
        first = false;
        uint64_t start = bias + segment.p_vaddr;
        if (address >= start && address < start + segment.p_memsz)
            return segment.p_filesz == segment.p_memsz ? start + segment.p_memsz : 0;
    }
    return 0;
}

bool find_padding(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end) {
    struct mapping code;
    uint64_t base;
    if (!find_code(pid, address, &code, &base))
        return false;
    *start = (segment_end(pid, base, address) + 15) & ~15ull;
    *end = code.end;
    return *start > code.start && *start < *end && *end - *start < 0x1000;
}
