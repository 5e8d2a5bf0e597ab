/* The core on a port of midge's emulated boards, whose functions the builder calls line_... here. */
#include "Arduino.h"

extern "C" {
void line_init(void);
size_t line_read(uint8_t *buf, size_t max);
void line_write(const uint8_t *buf, size_t n);
uint32_t line_ticks(void);
uint32_t line_ticks_hz(void);
int main(void);
}

HardwareSerial Serial;
EspClass ESP;

void HardwareSerial::begin(unsigned long) { line_init(); }

int HardwareSerial::read(void) {
    uint8_t byte;
    return line_read(&byte, 1) == 1 ? byte : -1;
}

size_t HardwareSerial::write(const uint8_t *from, size_t count) {
    line_write(from, count);
    return count;
}

uint32_t micros(void) { return line_ticks() / (line_ticks_hz() / 1000000u); }

uint32_t millis(void) { return micros() / 1000u; }

uint32_t EspClass::getCycleCount(void) { return line_ticks(); }

uint32_t EspClass::getCpuFreqMHz(void) { return line_ticks_hz() / 1000000u; }

int main(void) {
    setup();
    for (;;) {
        loop();
    }
}
