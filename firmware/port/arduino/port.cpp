/* The port of boards with an Arduino core: the line is MIDGE_PORT_SERIAL, the clock the finest that the core has.
 *
 *   AVR with a Timer 1        that timer, one tick per cycle
 *   Cortex-M3, M4, M7, M33    the DWT's cycle counter
 *   ESP32, ESP8266            the core's cycle counter
 *   others                    micros()
 */
#include <Arduino.h>

#include "port/arduino.h"
#include "port/port.h"

#if !defined(MIDGE_PORT_SERIAL) || !defined(MIDGE_PORT_SPEED) || !defined(MIDGE_PORT_CLOCK_HZ)
#error "platformio.ini gives the serial object, its speed and the clock, all from the board's file"
#endif

#if defined(TCCR1A)

static volatile uint16_t overflows;

ISR(TIMER1_OVF_vect) { overflows++; }

static void start_clock(void) {
    TIMSK0 = 0; /* millis() would steal cycles from what is measured, and nothing here asks for it */
    TCCR1A = 0;
    TCCR1B = _BV(CS10);
    TIMSK1 = _BV(TOIE1);
}

uint32_t midge_port_ticks(void) {
    const uint8_t state = SREG;
    cli();
    uint16_t low = TCNT1;
    uint16_t high = overflows;
    if ((TIFR1 & _BV(TOV1)) != 0) { /* an overflow that the interrupt has not counted yet */
        low = TCNT1;
        high++;
    }
    SREG = state;
    return (uint32_t)high << 16 | low;
}

uint32_t midge_port_ticks_hz(void) { return MIDGE_PORT_CLOCK_HZ; }

#elif defined(__ARM_ARCH_7M__) || defined(__ARM_ARCH_7EM__) || defined(__ARM_ARCH_8M_MAIN__)

#define MIDGE_REGISTER(address) (*(volatile uint32_t *)(address))

static void start_clock(void) {
    MIDGE_REGISTER(0xE000EDFCu) |= 1u << 24; /* DEMCR.TRCENA */
    MIDGE_REGISTER(0xE0001000u) |= 1u;       /* DWT_CTRL.CYCCNTENA */
}

uint32_t midge_port_ticks(void) { return MIDGE_REGISTER(0xE0001004u); /* DWT_CYCCNT */ }

uint32_t midge_port_ticks_hz(void) { return MIDGE_PORT_CLOCK_HZ; }

#elif defined(ARDUINO_ARCH_ESP32) || defined(ARDUINO_ARCH_ESP8266)

static void start_clock(void) {}

uint32_t midge_port_ticks(void) { return ESP.getCycleCount(); }

uint32_t midge_port_ticks_hz(void) { return (uint32_t)ESP.getCpuFreqMHz() * 1000000u; }

#else

static void start_clock(void) {}

uint32_t midge_port_ticks(void) { return (uint32_t)micros(); }

uint32_t midge_port_ticks_hz(void) { return 1000000u; }

#endif

void midge_port_init(void) {
    MIDGE_PORT_SERIAL.begin(MIDGE_PORT_SPEED);
    start_clock();
}

size_t midge_port_read(uint8_t *buf, size_t max) {
    size_t n = 0;
    for (int byte; n < max && (byte = MIDGE_PORT_SERIAL.read()) >= 0;) {
        buf[n++] = (uint8_t)byte;
    }
    return n;
}

void midge_port_write(const uint8_t *buf, size_t n) { MIDGE_PORT_SERIAL.write(buf, n); }

void setup(void) { midge_arduino_setup(); }

void loop(void) { midge_arduino_loop(); }
