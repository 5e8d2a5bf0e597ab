/* A board behind a TCP port: what comes in at the port goes to UART0, what UART0 sends comes back.
 *
 * Prints "port N" when it listens. A connection resets the core, as a board's DTR does.
 */
#include "runner.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_regbit.h>

#define SLICE_CYCLES 20000 /* between two looks at the socket */
#define WAIT_MS 100

static volatile sig_atomic_t ended;
static bool uart_ready = true;
static uint8_t sent[1 << 16];
static size_t sent_count;

static void on_signal(int number) {
    (void)number;
    ended = 1;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void on_xon(struct avr_irq_t *irq, uint32_t value, void *parameter) {
    (void)irq, (void)value, (void)parameter;
    uart_ready = true;
}

static void on_xoff(struct avr_irq_t *irq, uint32_t value, void *parameter) {
    (void)irq, (void)value, (void)parameter;
    uart_ready = false;
}

static void on_byte(struct avr_irq_t *irq, uint32_t value, void *parameter) {
    (void)irq, (void)parameter;
    if (sent_count < sizeof sent) {
        sent[sent_count++] = (uint8_t)value;
    }
}

static void dump(const avr_t *avr, const char *file) {
    FILE *out = fopen(file, "wb");
    if (out == NULL || fwrite(avr->flash, 1, avr->flashend + 1, out) != avr->flashend + 1 || fclose(out) != 0) {
        fail(file);
    }
}

static int listen_somewhere(void) {
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    if (server < 0 || bind(server, (struct sockaddr *)&here, size) != 0 || listen(server, 1) != 0 ||
        getsockname(server, (struct sockaddr *)&here, &size) != 0) {
        fail("socket");
    }
    printf("port %d\n", ntohs(here.sin_port));
    fflush(stdout);
    return server;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The core runs while somebody is connected, no faster than a real one: boot loaders do not wait for ever. Returns when
 * the line is cut. */
static void serve(avr_t *avr, int line) {
    const uint64_t start_ns = now_ns();
    const avr_cycle_count_t start = avr->cycle;
    avr_irq_t *input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    uint8_t received[4096];
    size_t at = 0, count = 0;
    while (!ended) {
        if (at == count) {
            ssize_t n = recv(line, received, sizeof received, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
                return;
            }
            at = 0;
            count = n > 0 ? (size_t)n : 0;
        }
        avr_cycle_count_t until = avr->cycle + SLICE_CYCLES;
        while (avr->cycle < until) {
            if (uart_ready && at < count) {
                avr_raise_irq(input, received[at++]);
            }
            int state = avr_run(avr);
            if (state == cpu_Done || state == cpu_Crashed) {
                fprintf(stderr, "the core stopped at 0x%x\n", (unsigned)avr->pc);
                return;
            }
        }
        if (sent_count > 0 && send(line, sent, sent_count, MSG_NOSIGNAL) < 0) {
            return;
        }
        sent_count = 0;
        const uint64_t due_ns = start_ns + (avr->cycle - start) * 1000u / (avr->frequency / 1000000u);
        const uint64_t is_ns = now_ns();
        if (due_ns > is_ns) {
            usleep((useconds_t)((due_ns - is_ns) / 1000u));
        }
    }
}

void midge_listen(avr_t *avr, const char *dump_file) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    uint32_t flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_byte, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_xon, NULL);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_xoff, NULL);
    int server = listen_somewhere();
    while (!ended) {
        struct pollfd waiting = {.fd = server, .events = POLLIN};
        int line = poll(&waiting, 1, WAIT_MS) > 0 ? accept(server, NULL, NULL) : -1;
        if (line < 0) {
            continue; /* nobody yet, or a signal */
        }
        int yes = 1;
        setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        avr_reset(avr);
        avr_regbit_set(avr, avr->reset_flags.extrf); /* boot loaders wait for an upload after this reset alone */
        uart_ready = true;
        sent_count = 0;
        serve(avr, line);
        close(line);
    }
    if (dump_file != NULL) {
        dump(avr, dump_file);
    }
}
