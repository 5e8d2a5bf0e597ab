/* What runs inside the emulator at every basic block and every device register: the counter of cycles and
 * instructions, the line and the timer. Compiled once for this computer by midge.run.emulator_hook, which mirrors the
 * two structs.
 *
 * A block is charged when the next one begins, because only then is it known whether its branch was taken: it was
 * when the next block is not the one behind it. Stopping is always asked for at the entry of a block that has not run.
 */
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* More than one block can send before it ends: the engine translates at most 512 instructions at once. */
#define OUTPUT_MARGIN 1024u

enum stop { RUNNING, IDLE, FULL, DEADLINE, BAD_REGISTER, OUTSIDE, UNALIGNED, FAILED };

enum kind { HALFWORD, WORD, STRICT };

/* An access whose address modulo 4 depends on registers: constant + factor * register + ... (registers as the engine
 * numbers them, 0: none). STRICT ones fault unless they are word-aligned, the others take longer. */
typedef struct {
    uint16_t registers[2];
    uint8_t factors[2], constant, kind;
} access;

typedef struct {
    uint32_t bytes, instructions;       /* as translated last; 0 bytes: not seen yet */
    uint32_t next_cycles, taken_cycles; /* when execution goes on behind the block, and when it goes elsewhere */
    uint32_t marked, resumable;         /* call `mark` on entry; the engine may be stopped here */
    uint32_t first_access, accesses;    /* those that may be unaligned */
    uint64_t entered, total_instructions, total_cycles;
} block;

typedef struct {
    uint64_t cycles, instructions, deadline;
    block *blocks; /* [code_bytes / 2], by address */
    uint32_t code_start, code_bytes;
    block *last; /* entered but not charged yet */
    uint64_t last_end;
    const access *accesses;
    uint64_t unaligned; /* loads that were */
    uint32_t halfword_cycles, word_at_halfword_cycles, word_at_byte_cycles;
    uint32_t last_penalty; /* of the block in `last` */
    const uint8_t *input;
    uint8_t *output;
    uint32_t input_bytes, input_taken, output_size, output_bytes;
    uint32_t empty_polls, empty_polls_limit;
    uint32_t stop, bad_offset, ticks_high, reserved;
    int (*stop_engine)(void *engine);
    int (*read_register)(void *engine, int number, void *value);
    int (*discover)(uint32_t address, uint32_t bytes); /* fill in the block's costs; 0 when that failed */
    int (*mark)(uint32_t address);                     /* 0 when that failed */
} counter;

static void charge(counter *c, uint64_t next) {
    block *b = c->last;
    if (b == NULL) {
        return;
    }
    const uint32_t cycles = (next == c->last_end ? b->next_cycles : b->taken_cycles) + c->last_penalty;
    c->cycles += cycles;
    c->instructions += b->instructions;
    b->total_cycles += cycles;
    b->total_instructions += b->instructions;
    b->entered++;
    c->last = NULL;
}

/* Cycles that unaligned loads add to the block that is about to run; 0 and a reason to stop when one faults. */
static uint32_t penalty(counter *c, void *engine, const block *b) {
    uint32_t cycles = 0;
    for (uint32_t i = 0; i < b->accesses; i++) {
        const access *a = &c->accesses[b->first_access + i];
        uint64_t at = a->constant;
        for (int r = 0; r < 2 && a->registers[r] != 0; r++) {
            uint64_t value = 0;
            c->read_register(engine, a->registers[r], &value);
            at += value * a->factors[r];
        }
        if (a->kind == HALFWORD) {
            at &= 1u;
            cycles += at != 0 ? c->halfword_cycles : 0;
        } else {
            at &= 3u;
            cycles += at == 0 ? 0 : at == 2 ? c->word_at_halfword_cycles : c->word_at_byte_cycles;
        }
        if (at != 0 && a->kind == STRICT) {
            c->stop = UNALIGNED;
            return 0;
        }
        c->unaligned += at != 0;
    }
    return cycles;
}

EXPORT void midge_hook_block(void *engine, uint64_t address, uint32_t bytes, void *user) {
    counter *c = user;
    charge(c, address);
    const uint64_t offset = address - c->code_start;
    if (offset >= c->code_bytes) {
        c->stop = OUTSIDE;
        c->stop_engine(engine);
        return;
    }
    block *b = &c->blocks[offset / 2];
    if (b->bytes != bytes && !c->discover((uint32_t)address, bytes)) {
        c->stop = FAILED;
    }
    if (c->cycles >= c->deadline && c->stop == RUNNING) {
        c->stop = DEADLINE;
    }
    if (c->stop != RUNNING && (b->resumable || c->stop > DEADLINE)) {
        c->stop_engine(engine);
        return;
    }
    if (b->marked && !c->mark((uint32_t)address)) {
        c->stop = FAILED;
        c->stop_engine(engine);
        return;
    }
    c->last_penalty = b->accesses != 0 ? penalty(c, engine, b) : 0;
    if (c->stop == UNALIGNED) {
        c->stop_engine(engine);
        return;
    }
    c->last = b;
    c->last_end = address + bytes;
}

EXPORT uint64_t midge_hook_read(void *engine, uint64_t offset, unsigned size, void *user) {
    (void)engine;
    (void)size;
    counter *c = user;
    switch (offset) {
    case 0x00:
        if (c->input_taken < c->input_bytes) {
            c->empty_polls = 0;
            return 1;
        }
        if (++c->empty_polls >= c->empty_polls_limit && c->stop == RUNNING) {
            c->stop = IDLE;
        }
        return 0;
    case 0x04:
        return c->input_taken < c->input_bytes ? c->input[c->input_taken++] : 0;
    case 0x10:
        c->ticks_high = (uint32_t)(c->cycles >> 32);
        return (uint32_t)c->cycles;
    case 0x14:
        return c->ticks_high;
    default:
        c->stop = BAD_REGISTER;
        c->bad_offset = (uint32_t)offset;
        return 0;
    }
}

EXPORT void midge_hook_write(void *engine, uint64_t offset, unsigned size, uint64_t value, void *user) {
    (void)engine;
    (void)size;
    counter *c = user;
    if (offset != 0x04) {
        c->stop = BAD_REGISTER;
        c->bad_offset = (uint32_t)offset;
        return;
    }
    c->empty_polls = 0;
    if (c->output_bytes < c->output_size) {
        c->output[c->output_bytes++] = (uint8_t)value;
    }
    if (c->output_bytes + OUTPUT_MARGIN >= c->output_size && c->stop == RUNNING) {
        c->stop = FULL;
    }
}

EXPORT uint32_t midge_hook_sizes(void) { return (uint32_t)(sizeof(counter) << 16 | sizeof(block)); }
