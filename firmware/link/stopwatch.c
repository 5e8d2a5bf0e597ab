#include "link/stopwatch.h"

#include "port/port.h"

#define TRIALS 3

volatile uint16_t midge_layer_under_way = MIDGE_NO_LAYER;

void midge_stopwatch_lap(midge_stopwatch *watch, uint16_t layer) {
    uint64_t now = midge_port_ticks();
    uint64_t ticks = now - watch->mark;
    watch->layer_ticks[layer] = ticks > watch->overhead ? ticks - watch->overhead : 0;
    midge_layer_under_way = (uint16_t)(layer + 1);
    watch->aside += watch->overhead;
    watch->mark = midge_port_ticks();
    watch->aside += watch->mark - now;
}

void midge_stopwatch_start(midge_stopwatch *watch) {
    uint16_t least = UINT16_MAX;
    watch->overhead = 0;
    /* The first lap only sets the mark; each of the others times the one before it. */
    for (uint8_t i = 0; i <= TRIALS; i++) {
        midge_stopwatch_lap(watch, 0);
        if (i > 0 && watch->layer_ticks[0] < least) {
            least = (uint16_t)watch->layer_ticks[0];
        }
    }
    watch->overhead = least;
    midge_layer_under_way = 0;
    watch->aside = 0;
    watch->start = watch->mark = midge_port_ticks();
}

uint64_t midge_stopwatch_stop(midge_stopwatch *watch) {
    uint64_t ticks = midge_port_ticks() - watch->start;
    uint64_t aside = watch->aside + watch->overhead;
    midge_layer_under_way = MIDGE_NO_LAYER;
    return ticks > aside ? ticks - aside : 0;
}
