/* The loop of firmware/main.c in the two pieces that an Arduino sketch has: setup and loop of port.cpp call them. */
#include "link/protocol.h"
#include "port/arduino.h"
#include "port/port.h"

static midge_link host_link;

void midge_arduino_setup(void) {
    midge_port_init();
    midge_link_init(&host_link, &midge_app_model);
}

void midge_arduino_loop(void) { midge_link_poll(&host_link); }
