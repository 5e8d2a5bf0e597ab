/* Times one run and its layers by the port's counter, without what the timing itself takes. */
#ifndef MIDGE_LINK_STOPWATCH_H
#define MIDGE_LINK_STOPWATCH_H

#include <stdint.h>

#include "port/port.h"

/* Give `layer_ticks`, which has room for every layer and for one at least; zero the rest. */
typedef struct {
    midge_ticks *layer_ticks; /* of each layer since the last start */
    midge_ticks mark;         /* where the layer under way began */
    midge_ticks total;        /* of the layers that have ended */
    uint16_t overhead;        /* ticks that a lap adds to the layer it ends */
} midge_stopwatch;

/* How many layers of the run have begun, so that the last of them is what a fault is blamed on; behind the last layer
 * one more, before the first run 0. */
extern uint16_t midge_layers_begun;

/* Find out what `hook` takes, which calls midge_stopwatch_lap behind each layer, and begin a run. */
void midge_stopwatch_start(midge_stopwatch *watch, void (*hook)(int layer));

/* Layer number `layer` has ended, the next one begins. */
void midge_stopwatch_lap(midge_stopwatch *watch, uint16_t layer);

/* The run has ended: its ticks. */
midge_ticks midge_stopwatch_stop(midge_stopwatch *watch);

#endif
