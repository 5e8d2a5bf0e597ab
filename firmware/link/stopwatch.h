/* Times one run and its layers by the port's counter, without what the timing itself takes. */
#ifndef MIDGE_LINK_STOPWATCH_H
#define MIDGE_LINK_STOPWATCH_H

#include <stdint.h>

/* Give `layer_ticks`, which has room for every layer and for one at least; zero the rest. */
typedef struct {
    uint64_t *layer_ticks; /* of each layer since the last start */
    uint64_t start;
    uint64_t mark;     /* where the layer under way began */
    uint64_t aside;    /* spent on timing since `start` */
    uint16_t overhead; /* ticks that a lap adds to the layer it ends */
} midge_stopwatch;

/* The layer under way: what a fault is blamed on. NO_LAYER outside a run. */
#define MIDGE_NO_LAYER 0xFFFFu
extern volatile uint16_t midge_layer_under_way;

/* Find out what a lap takes (the least of a few), and begin a run. */
void midge_stopwatch_start(midge_stopwatch *watch);

/* Layer number `layer` has ended, the next one begins. */
void midge_stopwatch_lap(midge_stopwatch *watch, uint16_t layer);

/* The run has ended: its ticks. */
uint64_t midge_stopwatch_stop(midge_stopwatch *watch);

#endif
