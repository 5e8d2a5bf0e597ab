#include "link/stopwatch.h"

uint16_t midge_layers_begun;

__attribute__((noinline)) static midge_ticks midge_since_mark(const midge_stopwatch *watch) {
    midge_ticks ticks = midge_port_ticks() - watch->mark;
#if defined(__AVR__)
    return ticks - watch->overhead; /* without caches and prefetch, no layer is shorter than what was measured */
#else
    return ticks > watch->overhead ? ticks - watch->overhead : 0;
#endif
}

void midge_stopwatch_lap(midge_stopwatch *watch, uint16_t layer) {
    midge_ticks ticks = midge_since_mark(watch);
    watch->layer_ticks[layer] = ticks;
    watch->total += ticks;
    midge_layers_begun = (uint16_t)(layer + 2);
    watch->mark = midge_port_ticks();
}

void midge_stopwatch_start(midge_stopwatch *watch, void (*hook)(int layer)) {
    watch->overhead = 0;
    hook(0); /* sets the mark, and fills caches */
    hook(0); /* times the one before */
    watch->overhead = (uint16_t)watch->layer_ticks[0];
    midge_layers_begun = 1;
    watch->total = 0;
    watch->mark = midge_port_ticks();
}

midge_ticks midge_stopwatch_stop(midge_stopwatch *watch) { return watch->total + midge_since_mark(watch); }
