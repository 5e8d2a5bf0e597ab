/* What midge's firmware needs of an Arduino core, on an emulated one: a line, a clock, setup and loop. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

void setup(void);
void loop(void);

extern "C" uint32_t micros(void);
extern "C" uint32_t millis(void);

class HardwareSerial {
  public:
    void begin(unsigned long speed);
    int read(void);
    size_t write(const uint8_t *from, size_t count);
};
extern HardwareSerial Serial;

/* What the ESP cores have beside it. */
class EspClass {
  public:
    uint32_t getCycleCount(void);
    uint32_t getCpuFreqMHz(void);
};
extern EspClass ESP;

#if defined(ARDUINO_ARCH_SAMD)
/* What its core has from CMSIS. */
struct SysTickRegisters {
    volatile uint32_t CTRL, LOAD, VAL, CALIB;
};
#define SysTick ((SysTickRegisters *)0xE000E010u)
#endif

#endif
