/* What drivers in TypeScript need: DMA memory, MMIO, ports, interrupts as wake-ups. */
#include "engine.h"
#include "cpu.h"
#include <string.h>

#define DMA_ALIGN_MAX 65536u

/* The rest of the last page taken: rings and small buffers share pages. */
static uint64_t dma_at, dma_end;

static JSValue dma_allocate_js(ARGUMENTS) {
    uint64_t bytes, align;
    if (!natural_of(argv[0], &bytes) || bytes - 1 >= INT32_MAX) return THROW_RANGE("bytes");
    if (!natural_of(argv[1], &align) || align > DMA_ALIGN_MAX || (align & (align - 1)) || !align) {
        return THROW_RANGE("align");
    }
    uint64_t at = ROUND_UP(dma_at, align);
    if (dma_at == 0 || at + bytes > dma_end) {
        at = (uint64_t)heap_allocate_pages(bytes, align);
        if (at == 0) return JS_ThrowOutOfMemory(ctx);
        dma_end = ROUND_UP(at + bytes, PAGE_BYTES);
    }
    dma_at = at + bytes;
    memset((void *)at, 0, bytes);
    return engine_new_bytes(ctx, (uint8_t *)at, bytes, false);
}

static JSValue physical_address_js(ARGUMENTS) {
    struct view view;
    if (!bytes_of(argv[0], &view)) return JS_ThrowTypeError(ctx, "needs a Uint8Array");
    return JS_NewInt64(ctx, (int64_t)(uint64_t)view.bytes);
}

/* 8, 16 or 32; 0 for anything else. */
static uint64_t width_of(JSValueConst value) {
    uint64_t bits;
    return natural_of(value, &bits) && (bits == 8 || bits == 16 || bits == 32) ? bits : 0;
}

/* A naturally aligned address outside of RAM, made reachable. */
static bool device_address(JSValueConst value, uint64_t bits, uint64_t *address) {
    if (bits == 0 || !natural_of(value, address)) return false;
    if (*address % (bits / 8) != 0 || is_ram(*address, bits / 8)) return false;
    return *address >= PAGE_BYTES && paging_map_device(*address);
}

static JSValue mmio_read_js(ARGUMENTS) {
    uint64_t at, bits = width_of(argv[1]);
    if (!device_address(argv[0], bits, &at)) return THROW_RANGE("device address or width");
    if (bits == 32) return JS_NewUint32(ctx, *(volatile uint32_t *)at);
    return bits == 16 ? VALUE(*(volatile uint16_t *)at) : VALUE(*(volatile uint8_t *)at);
}

static JSValue mmio_write_js(ARGUMENTS) {
    uint64_t at, value, bits = width_of(argv[1]);
    if (!device_address(argv[0], bits, &at)) return THROW_RANGE("device address or width");
    if (!natural_of(argv[2], &value)) return THROW_RANGE("value");
    if (bits == 32) *(volatile uint32_t *)at = (uint32_t)value;
    else if (bits == 16) *(volatile uint16_t *)at = (uint16_t)value;
    else *(volatile uint8_t *)at = (uint8_t)value;
    return JS_UNDEFINED;
}

static JSValue port_read_js(ARGUMENTS) {
    uint64_t port, bits = width_of(argv[1]);
    if (bits == 0 || !natural_of(argv[0], &port) || port > UINT16_MAX) return THROW_RANGE("port");
    if (bits == 32) return JS_NewUint32(ctx, in32((uint16_t)port));
    return bits == 16 ? VALUE(in16((uint16_t)port)) : VALUE(in8((uint16_t)port));
}

static JSValue port_write_js(ARGUMENTS) {
    uint64_t port, value, bits = width_of(argv[1]);
    if (bits == 0 || !natural_of(argv[0], &port) || port > UINT16_MAX) return THROW_RANGE("port");
    if (!natural_of(argv[2], &value)) return THROW_RANGE("value");
    if (bits == 32) out32((uint16_t)port, (uint32_t)value);
    else if (bits == 16) out16((uint16_t)port, (uint16_t)value);
    else out8((uint16_t)port, (uint8_t)value);
    return JS_UNDEFINED;
}

static JSValue barrier_js(ARGUMENTS) {
    __asm__ volatile("mfence" : : : "memory");
    return JS_UNDEFINED;
}

/* 1 when `value` is the string `yes`, 0 when it is `no`, else -1. */
static int word_of(JSContext *ctx, JSValueConst value, const char *yes, const char *no) {
    const char *text = JS_ToCString(ctx, value);
    if (text == NULL) return -1;
    int answer = strcmp(text, yes) == 0 ? 1 : strcmp(text, no) == 0 ? 0 : -1;
    JS_FreeCString(ctx, text);
    return answer;
}

static JSValue interrupt_line_js(ARGUMENTS) {
    uint64_t gsi;
    int level = word_of(ctx, argv[1], "level", "edge"), low = word_of(ctx, argv[2], "low", "high");
    if (!natural_of(argv[0], &gsi) || gsi > 255 || level < 0 || low < 0) {
        return THROW_RANGE("interrupt line");
    }
    int bit = interrupt_line((uint32_t)gsi, level == 1, low == 1);
    return bit < 0 ? THROW_RANGE("no such interrupt line, or no wake-up bit left") : VALUE(bit);
}

static JSValue interrupt_message_js(ARGUMENTS) {
    uint32_t address, data;
    int bit = interrupt_message(&address, &data);
    if (bit < 0) return THROW_RANGE("no wake-up bit left");
    JSValue message = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, message, "address", JS_NewUint32(ctx, address));
    JS_SetPropertyStr(ctx, message, "data", JS_NewUint32(ctx, data));
    JS_SetPropertyStr(ctx, message, "bit", VALUE(bit));
    return message;
}

static const JSCFunctionListEntry functions[] = {
    METHOD("dmaAllocate", 2, dma_allocate_js), METHOD("physicalAddress", 1, physical_address_js),
    METHOD("mmioRead", 2, mmio_read_js), METHOD("mmioWrite", 3, mmio_write_js),
    METHOD("portRead", 2, port_read_js), METHOD("portWrite", 3, port_write_js),
    METHOD("barrier", 0, barrier_js), METHOD("interruptLine", 3, interrupt_line_js),
    METHOD("interruptMessage", 0, interrupt_message_js),
};

void engine_install_devices(JSContext *ctx, JSValueConst base) {
    JS_SetPropertyFunctionList(ctx, base, functions, COUNT_OF(functions));
}
