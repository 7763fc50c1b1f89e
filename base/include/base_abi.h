/*
 * The whole contract between the base and what is built on it: the image's payload, the bytecode's
 * stamp, exit codes and limits. The TypeScript face of the same contract is targets/base/base.ts.
 * Reference packer: base/tests/pack.mjs. All integers are little-endian.
 *
 * An image file is base.elf with its PT_NULL program header turned into a PT_LOAD (flags R,
 * alignment 4096) whose p_vaddr = p_paddr = the end of the base's last segment (p_vaddr + p_memsz)
 * rounded up to 4096, whose p_offset is a multiple of 4096, and whose p_filesz = p_memsz is
 * total_bytes of the payload header found there:
 *
 *     base_payload_header | base_payload_section[section_count] | names and bytes, in any order
 *
 * Every `bytes_at` is a multiple of 16; offsets count from the payload's first byte. A section
 * named "main" of kind bytecode or source is the program. A source section is UTF-8 and the byte
 * after it, inside the payload, is 0. Contents appear in __base.payload in table order.
 */
#ifndef BASE_ABI_H
#define BASE_ABI_H
#include <stddef.h>
#include <stdint.h>

#define BASE_ABI_VERSION 1u
#define BASE_ENGINE_STAMP 20250426u /* The QuickJS release: its bytecode fits no other. */

#define BASE_PAYLOAD_MAGIC "MORGANA1"
#define BASE_PAYLOAD_ALIGN_BYTES 4096u
#define BASE_SECTION_ALIGN_BYTES 16u
#define BASE_SECTIONS_MAX 4096u
#define BASE_SECTION_NAME_BYTES_MAX 255u
#define BASE_CMDLINE_BYTES_MAX 4095u

enum base_section_kind {
    BASE_SECTION_BYTECODE = 1, /* base_bytecode_header, then what JS_WriteObject wrote. */
    BASE_SECTION_SOURCE = 2,
    BASE_SECTION_CONTENT = 3,
};

struct base_payload_header {
    char magic[8];
    uint32_t abi_version; /* BASE_ABI_VERSION */
    uint32_t section_count;
    uint64_t total_bytes; /* Header, table, names, contents and padding. */
    uint64_t reserved_zero;
};
_Static_assert(sizeof(struct base_payload_header) == 32, "bump BASE_ABI_VERSION");
_Static_assert(offsetof(struct base_payload_header, total_bytes) == 16, "bump BASE_ABI_VERSION");

struct base_payload_section {
    uint32_t kind;
    uint32_t name_bytes;
    uint64_t name_at;
    uint64_t bytes_at;
    uint64_t bytes;
};
_Static_assert(sizeof(struct base_payload_section) == 32, "bump BASE_ABI_VERSION");
_Static_assert(offsetof(struct base_payload_section, bytes) == 24, "bump BASE_ABI_VERSION");

#define BASE_BYTECODE_MAGIC "MORGANAB"
struct base_bytecode_header {
    char magic[8];
    uint32_t abi_version;  /* BASE_ABI_VERSION */
    uint32_t engine_stamp; /* BASE_ENGINE_STAMP */
};
_Static_assert(sizeof(struct base_bytecode_header) == 16, "bump BASE_ABI_VERSION");

/*
 * Exit codes. Code 0 resets the machine: QEMU run with -no-reboot exits with status 0. Any other
 * code c is written to the isa-debug-exit device at BASE_DEBUG_EXIT_PORT, which QEMU turns into
 * status 2 * c + 1: so an odd status s above 1 means code (s - 1) / 2, and 1 is QEMU's own failure.
 * A triple fault would look like code 0: every exception has its stack, and the tables that its
 * delivery needs are read-only. A machine without that device resets whatever the code.
 */
#define BASE_DEBUG_EXIT_PORT 0x501u
#define BASE_EXIT_OK 0
#define BASE_EXIT_NO_ENTROPY 123    /* Left to the program: the base itself never needs entropy. */
#define BASE_EXIT_UNCAUGHT 124      /* Uncaught exception or unhandled rejection. */
#define BASE_EXIT_PANIC 125         /* CPU exception, or a broken promise of the base. */
#define BASE_EXIT_BAD_IMAGE 126     /* No payload, or one that the base cannot accept. */
#define BASE_EXIT_MAX 126

/* Wake-up bits of the idle wait: what `woken` may hold. */
#define BASE_WAKE_BITS 31

#endif
