/* The loop: serve the link for ever. The model runs when the host asks for it. */
#include "link/protocol.h"
#include "port/port.h"

static midge_link host_link;

int main(void) {
    midge_port_init();
    midge_link_init(&host_link, &midge_app_model);
    for (;;) {
        midge_link_poll(&host_link);
    }
}
