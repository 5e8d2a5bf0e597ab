/* host_link.c for a firmware that speaks MLPerf Tiny's protocol. */
#include "link/mlperf_tiny.h"
#include "port/arduino.h"
#include "port/port.h"

static midge_mlperf host_link;

void midge_arduino_setup(void) {
    midge_port_init();
    midge_mlperf_init(&host_link, &midge_mlperf_app);
}

void midge_arduino_loop(void) { midge_mlperf_poll(&host_link); }
