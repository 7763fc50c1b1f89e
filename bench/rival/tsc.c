/* Prints the rate of the host's time stamp counter in kHz, measured over 200 ms. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
    struct timespec pause = {.tv_nsec = 200000000};
    int64_t start_ns = now_ns();
    uint64_t start = __rdtsc();
    nanosleep(&pause, 0);
    int64_t end_ns = now_ns();
    uint64_t end = __rdtsc();
    double khz = (double)(end - start) * 1e6 / (double)(end_ns - start_ns);
    printf("%.0f\n", khz);
    return 0;
}
