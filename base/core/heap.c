/*
 * The one allocator: QuickJS's, musl's and DMA memory. Pages of 4 KiB, each with a descriptor:
 * objects up to 2048 bytes share a page with others of their size class, larger ones take a run of
 * pages; free runs coalesce, so a large buffer gives its memory back. Single-threaded; O(1) for
 * small objects, first fit by power of two for runs. Objects are aligned to 16 bytes.
 */
#include "base.h"
#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES_MAX 2048u
#define FINE_BYTES_MAX 512u
#define FINE_CLASSES 32u /* 16, 32, ... 512 */
#define CLASSES (FINE_CLASSES + 5)
#define RUN_BINS 21u /* Runs of 2^i to 2^(i+1)-1 pages; 2^20 pages are 4 GiB. */
#define NONE 0u      /* Page 0 is never the heap's. */

enum page_kind { PAGE_FOREIGN, PAGE_FREE, PAGE_SMALL, PAGE_RUN };

struct page {
    uint32_t next, prev; /* In a list of its class's pages with room, or of free runs. */
    uint32_t run_pages;  /* First and last page of a free run, first page of a used one. */
    uint16_t free_at;    /* Small: first freed object, offset plus 1, chained in the objects. */
    uint16_t fresh_at;   /* Small: objects from here on were never used. */
    uint16_t used;       /* Small: live objects. */
    uint8_t kind, class;
};
_Static_assert(sizeof(struct page) == 20, "one per 4 KiB of memory");

static uint16_t class_bytes[CLASSES] = {[FINE_CLASSES] = 640, 816, 1024, 1360, 2048};
static uint32_t with_room[CLASSES]; /* Page numbers; NONE ends a list. */
static uint32_t free_runs[RUN_BINS];
static struct page *pages;
static uint32_t page_count;
struct heap_stats heap;

static uint32_t page_of(const void *memory) { return (uint32_t)((uint64_t)memory / PAGE_BYTES); }
static uint8_t *page_memory(uint32_t page) { return (uint8_t *)((uint64_t)page * PAGE_BYTES); }

static void list_add(uint32_t *head, uint32_t page) {
    pages[page].prev = NONE;
    pages[page].next = *head;
    if (*head != NONE) pages[*head].prev = page;
    *head = page;
}

static void list_remove(uint32_t *head, uint32_t page) {
    uint32_t next = pages[page].next, prev = pages[page].prev;
    if (prev == NONE) *head = next;
    else pages[prev].next = next;
    if (next != NONE) pages[next].prev = prev;
}

static uint32_t bin_of(uint32_t run_pages) { return 31u - (uint32_t)__builtin_clz(run_pages); }

static void mark_run(uint32_t page, uint32_t run_pages, uint8_t kind) {
    pages[page].kind = pages[page + run_pages - 1].kind = kind;
    pages[page].run_pages = pages[page + run_pages - 1].run_pages = run_pages;
}

static void unlink_free_run(uint32_t page) {
    list_remove(&free_runs[bin_of(pages[page].run_pages)], page);
}

static void release_run(uint32_t page, uint32_t run_pages) {
    pages[page].kind = PAGE_FREE; /* Also when it joins the run before: a second free is seen. */
    if (pages[page - 1].kind == PAGE_FREE) {
        uint32_t before = pages[page - 1].run_pages;
        unlink_free_run(page - before);
        page -= before;
        run_pages += before;
    }
    uint32_t after = page + run_pages;
    if (after < page_count && pages[after].kind == PAGE_FREE) {
        unlink_free_run(after);
        run_pages += pages[after].run_pages;
    }
    mark_run(page, run_pages, PAGE_FREE);
    list_add(&free_runs[bin_of(run_pages)], page);
}

/* Cuts [page, page + run_pages) out of the free run `from`, giving back what is around it. */
static void carve_run(uint32_t from, uint32_t page, uint32_t run_pages) {
    uint32_t total = pages[from].run_pages;
    unlink_free_run(from);
    mark_run(page, run_pages, PAGE_RUN);
    if (page > from) release_run(from, page - from);
    uint32_t after = page + run_pages, end = from + total;
    if (end > after) release_run(after, end - after);
}

static uint32_t take_run(uint32_t run_pages, uint32_t align_pages) {
    if (run_pages == 0 || run_pages >= 1u << (RUN_BINS - 1)) return NONE;
    for (uint32_t bin = bin_of(run_pages); bin < RUN_BINS; bin++) {
        for (uint32_t from = free_runs[bin]; from != NONE; from = pages[from].next) {
            uint32_t end = from + pages[from].run_pages;
            if (run_pages > pages[from].run_pages) continue;
            /* Small objects' pages from below, runs from above: neither cuts up the other's. */
            uint32_t page = run_pages == 1 && align_pages == 1
                ? from : (uint32_t)ROUND_DOWN(end - run_pages, align_pages);
            if (page < from) continue;
            carve_run(from, page, run_pages);
            return page;
        }
    }
    return NONE;
}

static inline uint32_t class_of(size_t bytes) {
    if (bytes <= FINE_BYTES_MAX) return bytes == 0 ? 0 : (uint32_t)(bytes - 1) / 16;
    uint32_t class = FINE_CLASSES;
    while (class_bytes[class] < bytes) class++;
    return class;
}

static bool add_small_page(uint32_t class) {
    uint32_t number = take_run(1, 1);
    if (number == NONE) return false;
    struct page *page = &pages[number];
    page->kind = PAGE_SMALL;
    page->class = (uint8_t)class;
    page->free_at = page->fresh_at = page->used = 0;
    list_add(&with_room[class], number);
    return true;
}

static void *allocate_small(uint32_t class) {
    uint32_t number = with_room[class];
    if (number == NONE) {
        if (!add_small_page(class)) return NULL;
        number = with_room[class];
    }
    struct page *page = &pages[number];
    uint32_t bytes = class_bytes[class];
    uint8_t *memory = page_memory(number);
    if (page->free_at != 0) {
        memory += page->free_at - 1;
        page->free_at = *(uint16_t *)memory;
    } else {
        memory += page->fresh_at;
        page->fresh_at = (uint16_t)(page->fresh_at + bytes);
    }
    page->used++;
    if (page->free_at == 0 && page->fresh_at + bytes > PAGE_BYTES)
        list_remove(&with_room[class], number);
    heap.used_bytes += bytes;
    return memory;
}

static void free_small(uint32_t number, uint8_t *memory) {
    struct page *page = &pages[number];
    uint32_t class = page->class, bytes = class_bytes[class];
    bool was_full = page->free_at == 0 && page->fresh_at + bytes > PAGE_BYTES;
    *(uint16_t *)memory = page->free_at;
    page->free_at = (uint16_t)((uint64_t)memory % PAGE_BYTES + 1);
    heap.used_bytes -= bytes;
    page->used--;
    uint32_t kept = with_room[class];
    if (was_full && kept != NONE && pages[kept].used == 0) {
        list_remove(&with_room[class], kept);
        release_run(kept, 1);
    }
    if (was_full) list_add(&with_room[class], number);
    /* Keeps the class's last page with room: an object freed and made again costs no run. */
    if (page->used == 0 && (page->next != NONE || page->prev != NONE)) {
        list_remove(&with_room[class], number);
        release_run(number, 1);
    }
}

void *heap_allocate_pages(size_t bytes, size_t align) {
    if (bytes > UINT32_MAX) return NULL;
    uint32_t run_pages = (uint32_t)(ROUND_UP(bytes, PAGE_BYTES) / PAGE_BYTES);
    uint32_t page = take_run(run_pages, (uint32_t)(ROUND_UP(align, PAGE_BYTES) / PAGE_BYTES));
    if (page == NONE) return NULL;
    heap.used_bytes += run_pages * PAGE_BYTES;
    return page_memory(page);
}

void *heap_allocate(size_t bytes) {
    if (bytes <= SMALL_BYTES_MAX) return allocate_small(class_of(bytes));
    return heap_allocate_pages(bytes, PAGE_BYTES);
}

void heap_free(void *memory) {
    if (memory == NULL) return;
    uint32_t number = page_of(memory);
    if (pages[number].kind == PAGE_SMALL) {
        free_small(number, memory);
    } else {
        if (pages[number].kind != PAGE_RUN) panic("free of memory that is not the heap's");
        heap.used_bytes -= pages[number].run_pages * PAGE_BYTES;
        release_run(number, pages[number].run_pages);
    }
}

size_t heap_size_of(const void *memory) {
    const struct page *page = &pages[page_of(memory)];
    return page->kind == PAGE_SMALL ? class_bytes[page->class] : page->run_pages * PAGE_BYTES;
}

/* Shrinks or grows a run where it stands; false when its neighbour is in use. */
static bool resize_run(uint32_t number, uint32_t run_pages) {
    uint32_t before = pages[number].run_pages, after = number + before;
    if (run_pages > before) {
        uint32_t more = run_pages - before;
        bool room = after < page_count && pages[after].kind == PAGE_FREE
            && pages[after].run_pages >= more;
        if (!room) return false;
        carve_run(after, after, more);
    }
    mark_run(number, run_pages, PAGE_RUN);
    if (run_pages < before) release_run(number + run_pages, before - run_pages);
    heap.used_bytes += ((uint64_t)run_pages - before) * PAGE_BYTES;
    return true;
}

void *heap_reallocate(void *memory, size_t bytes) {
    if (memory == NULL) return heap_allocate(bytes);
    uint32_t number = page_of(memory);
    size_t old_bytes = heap_size_of(memory);
    if (pages[number].kind == PAGE_SMALL) {
        if (bytes <= SMALL_BYTES_MAX && class_of(bytes) == pages[number].class) return memory;
    } else if (bytes > SMALL_BYTES_MAX && bytes <= UINT32_MAX) {
        if (resize_run(number, (uint32_t)(ROUND_UP(bytes, PAGE_BYTES) / PAGE_BYTES))) return memory;
    }
    void *moved = heap_allocate(bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, memory, bytes < old_bytes ? bytes : old_bytes);
    heap_free(memory);
    return moved;
}

/* Hands [start, end) to the heap: whole pages that nothing else uses. */
void heap_give(uint64_t start, uint64_t end) {
    uint32_t first = (uint32_t)(ROUND_UP(start, PAGE_BYTES) / PAGE_BYTES);
    uint32_t last = (uint32_t)(end / PAGE_BYTES);
    if (first >= last) return;
    release_run(first, last - first);
    heap.total_bytes += (uint64_t)(last - first) * PAGE_BYTES;
}

/* Gives the parts of a RAM region that the image and the descriptors leave. */
static void give_around(struct ram_region region, uint64_t hole_start, uint64_t hole_end) {
    if (hole_end <= region.start || hole_start >= region.end) {
        heap_give(region.start, region.end);
        return;
    }
    if (region.start < hole_start) heap_give(region.start, hole_start);
    if (hole_end < region.end) heap_give(hole_end, region.end);
}

void heap_init(void) {
    for (uint32_t i = 0; i < FINE_CLASSES; i++) class_bytes[i] = (uint16_t)((i + 1) * 16);
    uint64_t top = 0;
    for (uint32_t i = 0; i < machine.ram_count; i++)
        if (machine.ram[i].end > top) top = machine.ram[i].end;
    page_count = (uint32_t)(top / PAGE_BYTES);
    uint64_t descriptors_end =
        ROUND_UP(machine.payload_end + page_count * sizeof(struct page), PAGE_BYTES);
    if (descriptors_end >= ram_end_of(machine.payload_start)) panic("out of memory at boot");
    pages = (struct page *)machine.payload_end;
    memset(pages, 0, page_count * sizeof(struct page));
    for (uint32_t i = 0; i < machine.ram_count; i++)
        give_around(machine.ram[i], (uint64_t)base_text_start, descriptors_end);
}

/* musl's allocator, replaced: its own would ask a kernel for pages. */
void *malloc(size_t bytes) { return heap_allocate(bytes); }

void free(void *memory) { heap_free(memory); }

void *realloc(void *memory, size_t bytes) { return heap_reallocate(memory, bytes); }

void *calloc(size_t count, size_t bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) return NULL;
    void *memory = malloc(total);
    return memory ? memset(memory, 0, total) : NULL;
}
