#include "link/protocol.h"

#include <stddef.h>

#include "link/crc.h"
#include "port/port.h"

#define NAME_BYTES 63
#define PAYLOAD(link) ((link)->frame + MIDGE_LINK_HEADER)

/* Functions that stay functions: inlined everywhere they are called, they are a third of the code on an 8-bit core. */
#define SHARED static __attribute__((noinline))

static uint16_t get16(const uint8_t *from) { return (uint16_t)(from[0] | (uint16_t)from[1] << 8); }

static uint32_t get32(const uint8_t *from) { return get16(from) | (uint32_t)get16(from + 2) << 16; }

SHARED uint8_t *put16(uint8_t *to, uint16_t value) {
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t value) {
    return put16(put16(to, (uint16_t)value), (uint16_t)(value >> 16));
}

SHARED uint8_t *put_ticks(uint8_t *to, midge_ticks ticks) {
    return put32(put32(to, (uint32_t)ticks), (uint32_t)((uint64_t)ticks >> 32));
}

/* The payload of an error. */
SHARED midge_link_code fail(midge_link *link, midge_link_code code, uint32_t detail) {
    PAYLOAD(link)[0] = (uint8_t)code;
    put32(PAYLOAD(link) + 1, detail);
    return code;
}

/* The functions that serve one type of request take the length of its payload, put the answer in its place and its
 * length into *length. One that fails changes nothing but the payload. */

static midge_link_code serve_hello(midge_link *link, uint16_t *length) {
    if (*length != 0) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, *length);
    }
    const midge_app *app = link->app;
    uint8_t *to = PAYLOAD(link);
    for (uint8_t i = 0; i < sizeof app->hash; i++) {
        *to++ = app->hash[i];
    }
    to = put32(to, app->arena_bytes);
    to = put32(to, midge_port_ticks_hz());
    to = put32(to, link->runs);
    to = put16(to, MIDGE_LINK_MAX_PAYLOAD);
    to = put16(to, app->inputs);
    to = put16(to, app->outputs);
    to = put16(to, app->layers);
    *to++ = midge_port_is_emulated() ? 1 : 0;
    for (uint8_t i = 0; i < NAME_BYTES && app->name[i] != 0; i++) {
        *to++ = (uint8_t)app->name[i];
    }
    *length = (uint16_t)(to - PAYLOAD(link));
    link->open = true;
    link->result = false;
    link->fill_index = 0;
    link->fill_offset = 0;
    return MIDGE_LINK_OK;
}

/* Bytes of an input or output, or the number of a layer's kernel: SIZES and KERNELS answer with a list of them. */
SHARED uint32_t entry(const midge_app *app, bool kernels, uint16_t index) {
    if (kernels) {
        return app->kernel(index);
    }
    return index < app->inputs ? app->input[index].bytes : app->output[index - app->inputs].bytes;
}

static midge_link_code serve_list(midge_link *link, uint16_t *length, bool kernels) {
    uint8_t *to = PAYLOAD(link) + 2;
    if (*length != 2) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, *length);
    }
    const midge_app *app = link->app;
    uint16_t count = kernels ? app->layers : (uint16_t)(app->inputs + app->outputs);
    uint16_t first = get16(PAYLOAD(link));
    if (first >= count) {
        return fail(link, MIDGE_LINK_BAD_RANGE, count);
    }
    for (uint16_t i = first; i < count && to + 4 <= PAYLOAD(link) + MIDGE_LINK_MAX_PAYLOAD; i++) {
        to = put32(to, entry(app, kernels, i));
    }
    *length = (uint16_t)(to - PAYLOAD(link));
    return MIDGE_LINK_OK;
}

static midge_link_code store_input(midge_link *link, uint16_t length) {
    const uint8_t *from = PAYLOAD(link);
    if (length < 7) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, length);
    }
    uint16_t index = get16(from);
    uint32_t offset = get32(from + 2);
    uint16_t chunk = (uint16_t)(length - 6);
    if (index >= link->app->inputs) {
        return fail(link, MIDGE_LINK_BAD_RANGE, link->app->inputs);
    }
    bool restart = index == 0 && offset == 0;
    if (!restart && (index != link->fill_index || offset != link->fill_offset)) {
        return fail(link, MIDGE_LINK_INPUT_ORDER, link->fill_offset);
    }
    const midge_buffer *input = &link->app->input[index];
    if (chunk > input->bytes - offset) {
        return fail(link, MIDGE_LINK_BAD_RANGE, input->bytes);
    }
    link->result = false; /* outputs may share the memory of inputs */
    __builtin_memcpy((uint8_t *)input->data + offset, from + 6, chunk);
    bool full = offset + chunk == input->bytes;
    link->fill_index = (uint16_t)(index + (full ? 1 : 0));
    link->fill_offset = full ? 0 : offset + chunk;
    return MIDGE_LINK_OK;
}

static midge_link_code serve_input(midge_link *link, uint16_t *length, bool repeated) {
    midge_link_code code = repeated ? MIDGE_LINK_OK : store_input(link, *length);
    if (code != MIDGE_LINK_OK) {
        return code;
    }
    put32(put16(PAYLOAD(link), link->fill_index), link->fill_offset);
    *length = 6;
    return code;
}

static midge_link_code run_model(midge_link *link, uint16_t length) {
    const midge_app *app = link->app;
    if (length != 4) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, length);
    }
    if (link->fill_index < app->inputs) {
        return fail(link, MIDGE_LINK_INPUT_INCOMPLETE, link->fill_index);
    }
    uint32_t crc = 0;
    for (uint16_t i = 0; i < app->inputs; i++) {
        crc = midge_crc32(crc, app->input[i].data, app->input[i].bytes);
    }
    if (crc != get32(PAYLOAD(link))) {
        return fail(link, MIDGE_LINK_INPUT_DAMAGED, crc);
    }
    link->fill_index = 0;
    link->fill_offset = 0;
    link->total_ticks = app->run();
    link->runs++;
    link->result = true;
    return MIDGE_LINK_OK;
}

static midge_link_code serve_run(midge_link *link, uint16_t *length, bool repeated) {
    midge_link_code code = repeated ? MIDGE_LINK_OK : run_model(link, *length);
    if (code != MIDGE_LINK_OK) {
        return code;
    }
    put_ticks(put32(PAYLOAD(link), link->runs), link->total_ticks);
    *length = 12;
    return code;
}

/* What OUTPUT and TICKS have in common: the length, and that the run they ask about is the last one and still there. */
static midge_link_code check_result(midge_link *link, uint16_t length, uint16_t due) {
    if (length != due) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, length);
    }
    if (!link->result || get32(PAYLOAD(link)) != link->runs) {
        return fail(link, MIDGE_LINK_NO_RESULT, link->runs);
    }
    return MIDGE_LINK_OK;
}

static midge_link_code serve_output(midge_link *link, uint16_t *length) {
    uint8_t *payload = PAYLOAD(link);
    midge_link_code code = check_result(link, *length, 12);
    if (code != MIDGE_LINK_OK) {
        return code;
    }
    uint16_t index = get16(payload + 4);
    uint32_t offset = get32(payload + 6);
    uint16_t chunk = get16(payload + 10);
    if (index >= link->app->outputs) {
        return fail(link, MIDGE_LINK_BAD_RANGE, link->app->outputs);
    }
    const midge_buffer *output = &link->app->output[index];
    if (offset > output->bytes || chunk > output->bytes - offset) {
        return fail(link, MIDGE_LINK_BAD_RANGE, output->bytes);
    }
    if (chunk > MIDGE_LINK_MAX_PAYLOAD - 10) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, chunk);
    }
    __builtin_memcpy(payload + 10, (const uint8_t *)output->data + offset, chunk);
    *length = (uint16_t)(10 + chunk);
    return MIDGE_LINK_OK;
}

static midge_link_code serve_ticks(midge_link *link, uint16_t *length) {
    uint8_t *to = PAYLOAD(link) + 6;
    midge_link_code code = check_result(link, *length, 6);
    if (code != MIDGE_LINK_OK) {
        return code;
    }
    uint16_t first = get16(PAYLOAD(link) + 4);
    if (first >= link->app->layers) {
        return fail(link, MIDGE_LINK_BAD_RANGE, link->app->layers);
    }
    for (uint16_t i = first; i < link->app->layers && to + 8 <= PAYLOAD(link) + MIDGE_LINK_MAX_PAYLOAD; i++) {
        to = put_ticks(to, link->app->layer_ticks[i]);
    }
    *length = (uint16_t)(to - PAYLOAD(link));
    return MIDGE_LINK_OK;
}

/* To forget twice is to forget: a repetition needs no care. Outputs stay, as reset touches no output. */
static midge_link_code serve_reset(midge_link *link, uint16_t *length) {
    if (*length != 0) {
        return fail(link, MIDGE_LINK_BAD_LENGTH, *length);
    }
    if (link->app->reset != NULL) {
        link->app->reset();
    }
    return MIDGE_LINK_OK;
}

static midge_link_code serve(midge_link *link, uint8_t type, uint16_t *length, bool repeated) {
    switch (type) {
    case MIDGE_LINK_HELLO:
        return serve_hello(link, length);
    case MIDGE_LINK_SIZES:
    case MIDGE_LINK_KERNELS:
        return serve_list(link, length, type == MIDGE_LINK_KERNELS);
    case MIDGE_LINK_INPUT:
        return serve_input(link, length, repeated);
    case MIDGE_LINK_RUN:
        return serve_run(link, length, repeated);
    case MIDGE_LINK_OUTPUT:
        return serve_output(link, length);
    case MIDGE_LINK_TICKS:
        return serve_ticks(link, length);
    case MIDGE_LINK_RESET:
        return serve_reset(link, length);
    default:
        return fail(link, MIDGE_LINK_BAD_TYPE, type);
    }
}

/* Serve a request that is next in order or repeats the last one. The host repeats a request when it missed the answer:
 * one that was served is answered again without storing or running anything; one that failed fails again. */
static midge_link_code serve_in_order(midge_link *link, uint8_t type, uint16_t *length, uint32_t crc) {
    uint16_t sequence = get16(link->frame + 2);
    uint16_t due = (uint16_t)(link->sequence + 1);
    bool again = link->open && sequence == link->sequence && crc == link->last_crc;
    if (type != MIDGE_LINK_HELLO && !again && (!link->open || sequence != due)) {
        return fail(link, MIDGE_LINK_OUT_OF_ORDER, link->open ? due : 0x10000u);
    }
    midge_link_code code = serve(link, type, length, again && link->last_served);
    link->sequence = sequence;
    link->last_crc = crc;
    link->last_served = code == MIDGE_LINK_OK;
    return code;
}

static void answer(midge_link *link, uint8_t type, uint16_t length) {
    static const uint8_t delimiter = 0;
    uint16_t end = (uint16_t)(MIDGE_LINK_HEADER + length);
    link->frame[0] = MIDGE_LINK_VERSION;
    link->frame[1] = type;
    put32(link->frame + end, midge_crc32(0, link->frame, end));
    /* The delimiter in front separates the frame from whatever noise the line has seen since the last one. */
    midge_port_write(&delimiter, 1);
    midge_cobs_encode(link->frame, (size_t)end + 4, midge_port_write);
    midge_port_write(&delimiter, 1);
}

static void receive(midge_link *link, uint16_t size) {
    if (size < MIDGE_LINK_HEADER + 4) {
        return;
    }
    uint16_t end = (uint16_t)(size - 4);
    uint16_t length = (uint16_t)(end - MIDGE_LINK_HEADER);
    uint32_t crc = midge_crc32(0, link->frame, end);
    uint8_t version = link->frame[0];
    uint8_t type = link->frame[1];
    /* Damaged frames get no answer, the host repeats them; an answer that comes back is our own echo. */
    if (crc != get32(link->frame + end) || (type & MIDGE_LINK_ANSWER) != 0) {
        return;
    }
    midge_link_code code = version == MIDGE_LINK_VERSION ? serve_in_order(link, type, &length, crc)
                                                         : fail(link, MIDGE_LINK_BAD_VERSION, MIDGE_LINK_VERSION);
    if (code == MIDGE_LINK_OK) {
        answer(link, type | MIDGE_LINK_ANSWER, length);
    } else {
        answer(link, MIDGE_LINK_ERROR, 5);
    }
}

void midge_link_init(midge_link *link, const midge_app *app) {
    link->app = app;
    link->decoder.data = link->frame;
    link->decoder.capacity = MIDGE_LINK_FRAME;
    if (app->reset != NULL) {
        app->reset();
    }
}

void midge_link_push(midge_link *link, uint8_t byte) {
    uint16_t size = midge_cobs_push(&link->decoder, byte);
    if (size > 0) {
        receive(link, size);
    }
}

void midge_link_poll(midge_link *link) {
    uint8_t bytes[32];
    size_t size;
    while ((size = midge_port_read(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < size; i++) {
            midge_link_push(link, bytes[i]);
        }
    }
}
