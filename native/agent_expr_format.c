/* The formats of printf in an agent expression: text, %% and the conversions of integers, pointers, characters and
 * strings. gdbserver's list, and %p. */
#include "agent_expr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_FLAGS = 8, MOST_DIGITS = 3 /* of a width or a precision */ };

static int count_digits(const char *format, int size, int at) {
    int digits = 0;
    while (at + digits < size && format[at + digits] >= '0' && format[at + digits] <= '9')
        digits++;
    return digits;
}

/* The bits that the length modifier at *at says, which moves past it; 0: unknown. */
static int length_modifier(const char *format, int size, int *at) {
    static const struct {
        const char *letters;
        int bits;
    } modifiers[] = {{"hh", 8}, {"h", 16}, {"ll", 64}, {"l", 64}, {"j", 64}, {"z", 64}, {"t", 64}};
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        int length = (int)strlen(modifiers[i].letters);
        if (*at + length <= size && memcmp(format + *at, modifiers[i].letters, (size_t)length) == 0) {
            *at += length;
            return modifiers[i].bits;
        }
    }
    return 32;
}

static int conversion(const char *format, int size, int *at, struct agent_piece *piece) {
    int i = *at + 1, digits;
    while (i < size && format[i] && strchr("-+ #0'", format[i]))
        i++;
    if (i - *at - 1 > MOST_FLAGS || (digits = count_digits(format, size, i)) > MOST_DIGITS)
        return 0;
    i += digits;
    if (i < size && format[i] == '.') {
        if ((digits = count_digits(format, size, ++i)) > MOST_DIGITS)
            return 0;
        i += digits;
    }
    piece->bits = length_modifier(format, size, &i);
    if (i >= size || !format[i] || !strchr("diouxXcps", format[i]))
        return 0;
    piece->kind = format[i];
    piece->end = *at = i + 1;
    return 1;
}

/* gdb hands over the text as it was typed, with the escapes of C in it (gdbsupport/format.cc). The character that the
 * escape at *at stands for, which moves past it; -1: none. */
static int escaped(const char *format, int size, int *at) {
    static const char LETTERS[] = "abefnrtv\\\"", MEANT[] = "\a\b\033\f\n\r\t\v\\\"";
    int i = *at + 1, value = 0, digits = 0;
    for (; i < size && digits < 3 && format[i] >= '0' && format[i] <= '7'; i++, digits++)
        value = value * 8 + format[i] - '0';
    const char *letter = !digits && i < size && format[i] ? strchr(LETTERS, format[i]) : NULL;
    if (!digits && !letter)
        return -1;
    *at = digits ? i : i + 1;
    return digits ? value & 0xff : (unsigned char)MEANT[letter - LETTERS];
}

static int text(const char *format, int size, int *at) {
    for (; *at < size && format[*at] != '%'; ++*at)
        if (format[*at] == '\\') {
            if (escaped(format, size, at) < 0)
                return 0;
            --*at;
        }
    return 1;
}

int agent_next_piece(const char *format, int size, int *at, struct agent_piece *piece) {
    *piece = (struct agent_piece){*at, *at, 0, 0};
    if (format[*at] == '%' && !(*at + 1 < size && format[*at + 1] == '%'))
        return conversion(format, size, at, piece);
    if (format[*at] == '%') {
        piece->start = ++*at; /* the second one is the text */
        ++*at;
    }
    int known = text(format, size, at);
    piece->end = *at;
    return known;
}

int agent_count_arguments(const char *format, int size) {
    int count = 0;
    struct agent_piece piece;
    for (int at = 0; at < size;) {
        if (!agent_next_piece(format, size, &at, &piece))
            return -1;
        count += piece.kind != 0;
    }
    return count;
}

void agent_append(agent_run *run, const char *text, int size) {
    int room = AGENT_TEXT - run->text_size;
    if (size > room)
        size = room;
    memcpy(run->text + run->text_size, text, (size_t)size);
    run->text_size += size;
}

void agent_print_text(agent_run *run, const char *format, const struct agent_piece *piece) {
    for (int at = piece->start; at < piece->end;) {
        char character = format[at] == '\\' ? (char)escaped(format, piece->end, &at) : format[at++];
        agent_append(run, &character, 1);
    }
}

static intmax_t narrowed(uint64_t value, int bits) {
    switch (bits) {
    case 8:
        return (int8_t)value;
    case 16:
        return (int16_t)value;
    case 32:
        return (int32_t)value;
    default:
        return (int64_t)value;
    }
}

/* A specification for the C library: flags, width and precision as given, with the length modifier that fits what is
 * handed over. */
static void specify(char *specification, size_t room, const char *format, const struct agent_piece *piece,
                    const char *modifier) {
    int size = (int)strcspn(format + piece->start, "hljztdiouxXcps");
    snprintf(specification, room, "%.*s%s%c", size, format + piece->start, modifier, piece->kind);
}

enum { SPECIFICATION = 32, PRINTED = AGENT_TEXT + 1024 };

static void append_printed(agent_run *run, const char *text, int size) {
    if (size > 0)
        agent_append(run, text, size < PRINTED ? size : PRINTED - 1);
}

void agent_print_value(agent_run *run, const char *format, const struct agent_piece *piece, uint64_t value) {
    char specification[SPECIFICATION], text[PRINTED];
    int size;
    specify(specification, sizeof specification, format, piece, piece->kind == 'c' || piece->kind == 'p' ? "" : "j");
    if (piece->kind == 'c')
        size = snprintf(text, sizeof text, specification, (int)(unsigned char)value);
    else if (piece->kind == 'p')
        size = snprintf(text, sizeof text, specification, (void *)(uintptr_t)value);
    else if (piece->kind == 'd' || piece->kind == 'i')
        size = snprintf(text, sizeof text, specification, narrowed(value, piece->bits));
    else
        size = snprintf(text, sizeof text, specification,
                        (uintmax_t)(piece->bits < 64 ? value & ((1ull << piece->bits) - 1) : value));
    append_printed(run, text, size);
}

void agent_print_string(agent_run *run, const char *format, const struct agent_piece *piece, int from) {
    char specification[SPECIFICATION], text[PRINTED], string[AGENT_TEXT + 1];
    int size = run->text_size - from;
    memcpy(string, run->text + from, (size_t)size);
    string[size] = 0;
    run->text_size = from;
    specify(specification, sizeof specification, format, piece, "");
    append_printed(run, text, snprintf(text, sizeof text, specification, string));
}
