#include "link/mlperf_tiny.h"

#include "port/port.h"
#include <stddef.h>

#define DEFAULT_WARMUP 10u
#define MOST_RUNS 1000000u

/* Not every compiler here brings a C library. */
static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}

static bool is(const char *word, const char *other) {
    while (*word != 0 && *word == *other) {
        word++;
        other++;
    }
    return *word == *other;
}

static void say(const char *text) { midge_port_write((const uint8_t *)text, length_of(text)); }

static void say_number(uint64_t value, uint8_t least_digits) {
    char digits[20];
    uint8_t count = 0;
    while (value != 0 || count < least_digits) {
        digits[sizeof digits - ++count] = (char)('0' + value % 10u);
        value /= 10u;
    }
    midge_port_write((const uint8_t *)digits + sizeof digits - count, count);
}

static void say_hex(uint8_t byte) {
    static const char digit[] = "0123456789abcdef";
    uint8_t pair[2] = {(uint8_t)digit[byte >> 4], (uint8_t)digit[byte & 15u]};
    midge_port_write(pair, 2);
}

/* Three places, halves away from zero; not-a-number is 0, and what is too large for 32 bits of thousandths ends there.
 */
static void say_fraction(float real) {
    float size = real < 0.0f ? -real : real;
    uint32_t thousandths = size < 4.0e6f ? (uint32_t)(size * 1000.0f + 0.5f) : size > 0.0f ? 4000000000u : 0;
    if (real < 0.0f && thousandths != 0) {
        say("-");
    }
    say_number(thousandths / 1000u, 1);
    say(".");
    say_number(thousandths % 1000u, 3);
}

static void say_timestamp(void) {
    uint64_t ticks = midge_port_ticks(), hz = midge_port_ticks_hz();
    say("m-lap-us-");
    say_number(ticks / hz * 1000000u + ticks % hz * 1000000u / hz, 1);
    say("\r\n");
}

static void say_count(const char *before, uint32_t count) {
    say(before);
    say_number(count, 1);
    say("\r\n");
}

/* Where the next word of the command is; "" when there is none. Ends the word before it. */
static char *next_word(char *word) {
    while (*word != ' ') {
        if (*word == 0) {
            return word;
        }
        word++;
    }
    *word = 0;
    return word + 1;
}

/* A decimal number up to `most`; `otherwise` for an empty word. Returns whether it is one. */
static bool read_number(const char *word, uint32_t otherwise, uint32_t most, uint32_t *value) {
    *value = *word == 0 ? otherwise : 0;
    for (; *word != 0; word++) {
        if (*word < '0' || *word > '9' || *value > (most - (uint32_t)(*word - '0')) / 10u) {
            return false;
        }
        *value = *value * 10u + (uint32_t)(*word - '0');
    }
    return *value <= most;
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char letter = (char)(digit | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static void load(midge_mlperf *link, char *word) {
    uint32_t bytes;
    (void)next_word(word);
    if (!read_number(word, 0, link->model->buffer_bytes, &bytes) || bytes == 0) {
        say("e-[db load takes a number of bytes, at most ");
        say_number(link->model->buffer_bytes, 1);
        say("]\r\n");
        return;
    }
    link->due = bytes;
    link->filled = 0;
    say("m-[Expecting ");
    say_number(bytes, 1);
    say(" bytes]\r\n");
}

static void store(midge_mlperf *link, const char *word) {
    size_t digits = length_of(word);
    uint32_t bytes = (uint32_t)(digits / 2);
    for (size_t i = 0; i < digits; i++) {
        if (digits % 2 != 0 || hex_value(word[i]) < 0) {
            say("e-[db takes pairs of hex digits]\r\n");
            return;
        }
    }
    if (bytes == 0 || bytes > link->due - link->filled) {
        say("e-[more bytes than db load has announced]\r\n");
        return;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        int value = hex_value(word[2 * i]) * 16 + hex_value(word[2 * i + 1]);
        link->model->buffer[link->filled++] = (uint8_t)value;
    }
    if (link->filled == link->due) {
        say("m-load-done\r\n");
    }
}

static void print(const midge_mlperf *link, char *word) {
    uint32_t bytes = link->model->buffer_bytes, count, offset;
    char *second = next_word(word);
    (void)next_word(second);
    if (!read_number(second, 0, bytes, &offset) || !read_number(word, bytes - offset, bytes - offset, &count)) {
        say("e-[db print takes a number of bytes and an offset within the buffer]\r\n");
        return;
    }
    say("m-buffer-");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) {
            say("-");
        }
        say_hex(link->model->buffer[offset + i]);
    }
    say("\r\n");
}

static void serve_buffer(midge_mlperf *link, char *word) {
    char *rest = next_word(word);
    if (is(word, "load")) {
        load(link, rest);
    } else if (is(word, "print")) {
        print(link, rest);
    } else {
        store(link, word);
    }
}

static void say_results(const midge_mlperf *link) {
    if (!link->has_result) {
        say("e-[no inference yet]\r\n");
        return;
    }
    say("m-results-[");
    for (uint32_t i = 0; i < link->model->results; i++) {
        if (i > 0) {
            say(",");
        }
        say_fraction(link->model->result(i));
    }
    say("]\r\n");
}

static void run(const midge_mlperf_model *model, uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        const uint8_t *from = model->buffer;
        for (uint16_t input = 0; input < model->inputs; input++) {
            __builtin_memcpy(model->input[input].data, from, model->input[input].bytes);
            from += model->input[input].bytes;
        }
        model->run();
    }
}

static void infer(midge_mlperf *link, char *word) {
    uint32_t runs, warmup;
    char *second = next_word(word);
    (void)next_word(second);
    if (!read_number(word, 0, MOST_RUNS, &runs) || runs == 0 ||
        !read_number(second, DEFAULT_WARMUP, MOST_RUNS, &warmup)) {
        say("e-[infer takes a number of runs above 0, and one of warm-up runs]\r\n");
        return;
    }
    say_count("m-warmup-start-", warmup);
    run(link->model, warmup);
    say("m-warmup-done\r\n");
    say_count("m-infer-start-", runs);
    say_timestamp();
    run(link->model, runs);
    say_timestamp();
    say("m-infer-done\r\n");
    link->has_result = true;
    say_results(link);
}

static void serve(midge_mlperf *link, char *word) {
    char *rest = next_word(word);
    if (is(word, "name")) {
        say("m-name-dut-[midge]\r\n");
    } else if (is(word, "timestamp")) {
        say_timestamp();
    } else if (is(word, "profile")) {
        say("m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[");
        say(link->model->id);
        say("]\r\n");
    } else if (is(word, "help")) {
        say("name, timestamp, profile, db load N, db HEX, db print [N] [OFFSET], infer N [WARMUP], results\r\n");
    } else if (is(word, "db")) {
        serve_buffer(link, rest);
    } else if (is(word, "infer")) {
        infer(link, rest);
    } else if (is(word, "results")) {
        say_results(link);
    } else {
        say("e-[Unknown command: ");
        say(word);
        say("]\r\n");
    }
}

void midge_mlperf_init(midge_mlperf *link, const midge_mlperf_model *model) {
    link->model = model;
    say("m-timestamp-mode-performance\r\n");
    say_timestamp();
    say("m-init-done\r\nm-ready\r\n");
}

void midge_mlperf_push(midge_mlperf *link, char character) {
    if (character != '%') {
        if (link->length < MIDGE_MLPERF_COMMAND) {
            link->command[link->length] = character;
        }
        link->length = (uint8_t)(link->length + (link->length <= MIDGE_MLPERF_COMMAND ? 1 : 0));
        return;
    }
    if (link->length > MIDGE_MLPERF_COMMAND) {
        say("e-[Command too long]\r\n");
    } else {
        link->command[link->length] = 0;
        char *word = link->command;
        while (*word == '\r' || *word == '\n') {
            word++;
        }
        serve(link, word);
    }
    link->length = 0;
    say("m-ready\r\n");
}

void midge_mlperf_poll(midge_mlperf *link) {
    uint8_t bytes[32];
    size_t size;
    while ((size = midge_port_read(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < size; i++) {
            midge_mlperf_push(link, (char)bytes[i]);
        }
    }
}
