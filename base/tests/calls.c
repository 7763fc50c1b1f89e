/*
 * Only in process-test.elf: `__base.fault(kind, ...)` breaks one promise on purpose, so that the
 * tests can see that the walls around a process hold. `fault("call", number, a0 ... a5)` makes a
 * system call; a Uint8Array among the arguments is its address.
 */
#include "engine.h"
#include "process.h"
#include <string.h>

static const uint8_t constant_byte = 1;
static uint8_t code_in_data[] = {0xc3}; /* ret */

static uint64_t overflow(uint64_t depth) {
    volatile uint8_t frame[1024];
    frame[0] = (uint8_t)depth;
    return depth == UINT64_MAX ? 0 : overflow(depth + 1) + frame[0];
}

static __attribute__((noinline, noipa)) void write_byte(uint64_t address) {
    *(volatile uint8_t *)address = 1;
}

static uint64_t word_of(JSContext *ctx, JSValueConst value) {
    struct view view;
    int64_t number = 0;
    if (bytes_of(value, &view)) return (uint64_t)view.bytes;
    JS_ToInt64Ext(ctx, &number, value); /* A bigint reaches all of 64 bits. */
    return (uint64_t)number;
}

static JSValue call(JSContext *ctx, JSValueConst *argv) {
    uint64_t a[7];
    for (int i = 0; i < 7; i++) a[i] = word_of(ctx, argv[1 + i]);
    register uint64_t a3 __asm__("r10") = a[4], a4 __asm__("r8") = a[5], a5 __asm__("r9") = a[6];
    int64_t result;
    __asm__ volatile("syscall" : "=a"(result)
        : "a"(a[0]), "D"(a[1]), "S"(a[2]), "d"(a[3]), "r"(a3), "r"(a4), "r"(a5)
        : "rcx", "r11", "memory");
    return JS_NewInt64(ctx, result);
}

static JSValue fault_js(ARGUMENTS) {
    const char *kind = JS_ToCString(ctx, argv[0]);
    if (kind == NULL) return JS_EXCEPTION;
    if (strcmp(kind, "call") == 0) return call(ctx, argv);
    if (strcmp(kind, "waits") == 0) return JS_NewInt64(ctx, (int64_t)(uint64_t)waits);
    if (strcmp(kind, "profile timer") == 0) {
        return JS_NewInt64(ctx, (int64_t)(uint64_t)&profile_timer);
    }
    if (strcmp(kind, "call32") == 0) { /* The 32-bit table: 20 is getpid there. */
        int32_t result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "r8", "r9", "r10", "r11", "memory");
        return VALUE(result);
    }
    if (strcmp(kind, "write-text") == 0) write_byte((uint64_t)fault_js);
    if (strcmp(kind, "write-constant") == 0) write_byte((uint64_t)&constant_byte);
    if (strcmp(kind, "write-payload") == 0) write_byte(machine.payload_start);
    if (strcmp(kind, "null") == 0) write_byte(0);
    if (strcmp(kind, "execute-data") == 0) ((void (*)(void))(uint64_t)code_in_data)();
    if (strcmp(kind, "execute-heap") == 0) ((void (*)(void))heap_allocate(64))();
    if (strcmp(kind, "stack") == 0) overflow(0);
    if (strcmp(kind, "invalid-opcode") == 0) __asm__ volatile("ud2");
    return JS_ThrowRangeError(ctx, "the fault did not happen");
}

void engine_install_fault(JSContext *ctx, JSValueConst base) {
    JS_SetPropertyStr(ctx, base, "fault", JS_NewCFunction(ctx, fault_js, "fault", 8));
}
