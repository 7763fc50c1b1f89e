/*
 * core/heap.c as a host program: random allocations, sizes near every limit, reallocations and
 * frees, on memory with holes; each object's bytes are checked before it goes, and at the end the
 * memory must be in one piece a region again. Arguments: SEED ROUNDS. Exit status 1 and a sentence
 * at the first broken promise. heap_stress.test.ts compiles and runs it.
 */
#include "base.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Compiled under other names, so that the sanitizers keep theirs. */
void *malloc_of_base(size_t bytes);
void *calloc_of_base(size_t count, size_t bytes);
_Noreturn void exit(int status);
unsigned long long strtoull(const char *text, char **end, int base);

#define ARENA_AT 0x10000000ull
#define ARENA_BYTES (24ull << 20)
#define OBJECTS 400u

struct machine machine;
static uint64_t state;
static struct object {
    uint8_t *at;
    size_t bytes;
    uint8_t mark;
} objects[OBJECTS];

_Noreturn void panic(const char *message) {
    printf("panic: %s\n", message);
    exit(1);
}

uint64_t ram_end_of(uint64_t address) {
    (void)address;
    return machine.ram[0].end;
}

static uint64_t random_below(uint64_t limit) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % limit;
}

static size_t random_size(void) {
    static const size_t limits[] = {0, 16, 512, 640, 1360, 2048, 4096, 8192, 65536};
    switch (random_below(4)) {
    case 0: return random_below(2100);
    case 1: return random_below(200000);
    default: return limits[random_below(COUNT_OF(limits))] + random_below(3);
    }
}

static void fill(struct object *object, uint8_t *at, size_t bytes) {
    if ((uint64_t)at % 16 != 0) panic("not aligned to 16 bytes");
    if (heap_size_of(at) < bytes) panic("smaller than asked for");
    uint64_t start = (uint64_t)at, end = start + bytes;
    bool first = start >= ARENA_AT && end <= machine.ram[0].end;
    bool rest = start >= machine.ram[1].start && end <= machine.ram[2].end; /* They touch. */
    if (!first && !rest) panic("outside of the memory given");
    *object = (struct object){at, bytes, (uint8_t)random_below(256)};
    memset(at, object->mark, bytes);
}

static void check(const struct object *object, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (object->at[i] != object->mark) panic("somebody else wrote there");
    }
}

static void step(struct object *object) {
    size_t bytes = random_size();
    if (object->at == NULL) {
        uint64_t align = PAGE_BYTES << random_below(5);
        bool pages = random_below(8) == 0 && bytes != 0;
        uint8_t *at = pages ? heap_allocate_pages(bytes, align) : heap_allocate(bytes);
        if (at != NULL && pages && (uint64_t)at % align != 0) panic("pages out of alignment");
        if (at != NULL) fill(object, at, bytes);
    } else if (random_below(3) == 0) {
        size_t kept = bytes < object->bytes ? bytes : object->bytes;
        uint8_t *moved = heap_reallocate(object->at, bytes);
        if (moved == NULL) return;
        object->at = moved;
        check(object, kept);
        fill(object, moved, bytes);
    } else {
        check(object, object->bytes);
        heap_free(object->at);
        object->at = NULL;
    }
}

/* Sizes whose sums and products do not fit. */
static void refuses_huge(void) {
    static const size_t huge[] = {UINT32_MAX, 1ull << 32, (1ull << 32) + 1, SIZE_MAX - 4095, SIZE_MAX};
    void *small = heap_allocate(100);
    for (uint32_t i = 0; i < COUNT_OF(huge); i++) {
        if (heap_allocate(huge[i]) || malloc_of_base(huge[i])) panic("gave a huge size");
        if (heap_reallocate(small, huge[i]) != NULL) panic("grew to a huge size");
        if (calloc_of_base(huge[i], huge[i]) != NULL) panic("gave a huge product");
    }
    if (calloc_of_base(1ull << 32, 1ull << 32) != NULL) panic("gave 2^64 bytes");
    heap_free(small);
    heap_free(NULL);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    state = strtoull(argv[1], NULL, 10);
    void *arena = mmap((void *)ARENA_AT, ARENA_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (arena != (void *)ARENA_AT) panic("no memory at the test's address");
    machine.ram[0] = (struct ram_region){ARENA_AT, ARENA_AT + (16ull << 20)};
    machine.ram[1] = (struct ram_region){ARENA_AT + (17ull << 20), ARENA_AT + (20ull << 20)};
    machine.ram[2] = (struct ram_region){ARENA_AT + (20ull << 20), ARENA_AT + ARENA_BYTES};
    machine.ram_count = 3;
    machine.payload_start = machine.payload_end = ARENA_AT;
    heap_init();
    refuses_huge();
    for (uint64_t i = strtoull(argv[2], NULL, 10); i > 0; i--) step(&objects[random_below(OBJECTS)]);
    for (uint32_t i = 0; i < OBJECTS; i++) {
        if (objects[i].at != NULL) check(&objects[i], objects[i].bytes);
        heap_free(objects[i].at);
    }
    /* Each class may keep one empty page; nothing else stays in use. */
    if (heap.used_bytes != 0) panic("bytes in use after the last free");
    if (heap_allocate_pages(6ull << 20, PAGE_BYTES) == NULL) panic("the free runs did not join");
    printf("ok\n");
    return 0;
}
