/* Finds its way in the image's payload; every offset and length is checked once, at boot. */
#include "base.h"

static const struct base_payload_header *header(void) {
    return (const struct base_payload_header *)machine.payload_start;
}

static const struct base_payload_section *table(void) {
    return (const struct base_payload_section *)(header() + 1);
}

static bool inside(uint64_t at, uint64_t n, uint64_t of) { return at <= of && n <= of - at; }

uint32_t payload_section_count(void) { return header()->section_count; }

struct section payload_section(uint32_t index) {
    const struct base_payload_section *entry = &table()[index];
    return (struct section){
        .kind = entry->kind,
        .name = (const char *)machine.payload_start + entry->name_at,
        .name_bytes = entry->name_bytes,
        .bytes = (const uint8_t *)machine.payload_start + entry->bytes_at,
        .byte_count = entry->bytes,
    };
}

static void check_section(const struct base_payload_section *entry, uint64_t total) {
    if (entry->kind < BASE_SECTION_BYTECODE || entry->kind > BASE_SECTION_CONTENT) {
        refuse_image("a payload section is of an unknown kind", "", 0);
    }
    if (entry->name_bytes > BASE_SECTION_NAME_BYTES_MAX
        || !inside(entry->name_at, entry->name_bytes, total)) {
        refuse_image("a payload section's name is outside the payload", "", 0);
    }
    const char *name = (const char *)machine.payload_start + entry->name_at;
    if (entry->bytes_at % BASE_SECTION_ALIGN_BYTES != 0
        || !inside(entry->bytes_at, entry->bytes, total)) {
        refuse_image("a payload section is outside the payload", name, entry->name_bytes);
    }
    if (entry->kind == BASE_SECTION_SOURCE) {
        const char *bytes = (const char *)machine.payload_start + entry->bytes_at;
        if (entry->bytes_at + entry->bytes == total || bytes[entry->bytes] != 0) {
            refuse_image("a source section is not followed by a zero", name, entry->name_bytes);
        }
    }
}

void payload_check(void) {
    if (machine.payload_start == machine.payload_end) {
        refuse_image("there is no payload after the base (morgana build appends one)", "", 0);
    }
    uint64_t total = header()->total_bytes;
    uint32_t count = header()->section_count;
    if (header()->abi_version != BASE_ABI_VERSION) {
        refuse_image("its payload is for another version of the base: build it again", "", 0);
    }
    if (header()->reserved_zero != 0 || count > BASE_SECTIONS_MAX
        || !inside(sizeof(*header()), count * sizeof(*table()), total)) {
        refuse_image("its payload's table of sections is damaged", "", 0);
    }
    for (uint32_t i = 0; i < count; i++) check_section(&table()[i], total);
}
