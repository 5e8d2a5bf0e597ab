/* The loop: serve the host for ever. The model runs when it asks for that. */
#include "port/port.h"

#if defined(MIDGE_PROTOCOL_MLPERF_TINY)
#include "link/mlperf_tiny.h"

static midge_mlperf host_link;

int main(void) {
    midge_port_init();
    midge_mlperf_init(&host_link, &midge_mlperf_app);
    for (;;) {
        midge_mlperf_poll(&host_link);
    }
}

#else
#include "link/protocol.h"

static midge_link host_link;

int main(void) {
    midge_port_init();
    midge_link_init(&host_link, &midge_app_model);
    for (;;) {
        midge_link_poll(&host_link);
    }
}

#endif
