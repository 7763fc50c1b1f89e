/*
 * From the virtual machine monitor's PVH jump (32-bit, paging off, ebx = hvm_start_info) to C in
 * 64-bit mode, then the entry stubs of exceptions, interrupts and musl's `syscall` instructions.
 * Not here: what they do (traps.c, syscall.c). Read first: the x86/HVM direct boot ABI.
 */
#define PTE_P 1
#define PTE_W 2
#define PTE_PS 0x80
#define STACK_BYTES (256 * 1024)

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18              /* name bytes, descriptor bytes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad pvh_entry

    .section .text.entry, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld
    movl $base_stack_top, %esp
    movl $little_message, %esi
    movl $little_end - little_message, %ecx
    movl %esp, -4(%esp)         /* Where there is no RAM, nothing reads back. */
    cmpl %esp, -4(%esp)
    jne refuse
    movl %ebx, base_start_info
    /* Boot map: the first 4 GiB in 2 MiB pages; paging_init() then gives each its protection. */
    movl $(base_pdpt + PTE_P + PTE_W), base_pml4
    movl $(base_pd + PTE_P + PTE_W), %eax
    movl $base_pdpt, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    loop 1b
    movl $(PTE_P + PTE_W + PTE_PS), %eax
    movl $base_pd, %edi
    movl $2048, %ecx
2:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b

    movl $0x80000001, %eax
    cpuid
    movl $cpu_message, %esi
    movl $cpu_end - cpu_message, %ecx
    notl %edx
    testl $0x20100000, %edx     /* Long mode, no-execute. */
    jnz refuse
    movl $0x660, %eax           /* PAE, MCE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $base_pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax            /* NXE, LME, SCE */
    wrmsr
    movl $0x80000023, %eax      /* PG, NE, MP, PE; paging_init() adds WP */
    movl %eax, %cr0
    lgdt base_gdt_pointer
    ljmp $8, $long_mode
refuse:                         /* Says why on COM1 and stops, without a stack. */
    movw $0x3f8, %dx
    rep outsb
    movl $126, %eax             /* BASE_EXIT_BAD_IMAGE */
    movw $0x501, %dx
    outl %eax, %dx
3:  hlt
    jmp 3b

little_message: .ascii "base: this machine has too little memory\r\n"
little_end:
cpu_message: .ascii "base: this CPU lacks 64-bit mode or no-execute pages\r\n"
cpu_end:

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    movl base_start_info, %edi
    call base_boot
    ud2

    .section .sealed, "aw", @progbits /* Read-only from paging_init() on. */
    .balign 8
base_gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* 0x08: code, 64-bit */
    .quad 0x00cf93000000ffff    /* 0x10: data */
    .globl base_gdt_tss
base_gdt_tss:
    .quad 0, 0                  /* 0x18: TSS, filled by traps_init() */
base_gdt_end:
base_gdt_pointer:
    .word base_gdt_end - base_gdt - 1
    .quad base_gdt
base_start_info:
    .long 0

    .section .stacks, "aw", @nobits
    .balign 4096
    .globl base_pml4, base_pdpt, base_pd, base_spare_tables
base_pml4: .skip 4096
base_pdpt: .skip 4096
base_pd:   .skip 4 * 4096
base_spare_tables: .skip 16 * 4096
    .globl base_stack_guard, base_stack_bottom, base_stack_top
base_stack_guard: .skip 4096
base_stack_bottom: .skip STACK_BYTES
base_stack_top:

    .text
    .macro push_all names:vararg
    .irp name, \names
    pushq %\name
    .endr
    .endm
    .macro pop_all names:vararg
    .irp name, \names
    popq %\name
    .endr
    .endm

/* Every stub leaves the same frame, struct trap_frame of cpu.h, and calls base_trap(frame). */
    .altmacro
    .macro stub vector, has_error
    .balign 16
    .if !\has_error
    pushq $0
    .endif
    pushq $\vector
    jmp trap_common
    .endm

    .balign 16
    .globl base_trap_stubs
base_trap_stubs:
    .set vector, 0
    .rept 96
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) \
        || (vector == 29) || (vector == 30)
    stub %vector, 1
    .else
    stub %vector, 0
    .endif
    .set vector, vector + 1
    .endr

trap_common:
    cld
    push_all r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
    movq %rsp, %rdi
    call base_trap              /* 20 words and the CPU's 16-byte alignment: rsp is aligned. */
    pop_all rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    addq $16, %rsp
    iretq

/*
 * musl's `syscall` arrives here in ring 0, on the caller's stack, whose 128 bytes below rsp (the
 * red zone) belong to the caller. Everything but rax, rcx and r11 is preserved; base_syscall() is
 * compiled without SSE, so the vector registers are too.
 */
    .globl base_syscall_entry
base_syscall_entry:
    leaq -128(%rsp), %rsp
    push_all r11, rcx, r10, r9, r8, rdi, rsi, rdx, rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    movq %r10, %rcx             /* fourth argument */
    movq %r8, %r9
    movq %rcx, %r8
    movq %rdx, %rcx
    movq %rsi, %rdx
    movq %rdi, %rsi
    movq %rax, %rdi             /* base_syscall(number, a0, a1, a2, a3, a4) */
    call base_syscall
    movq %rbp, %rsp
    pop_all rbp, rdx, rsi, rdi, r8, r9, r10, rcx, r11
    leaq 128(%rsp), %rsp
    pushq %r11
    popfq
    jmpq *%rcx

/* base_start_libc(stack): enters musl's start-up code on a stack laid out as by a Linux exec. */
    .globl base_start_libc
base_start_libc:
    movq %rdi, %rsp
    movq $base_main, %rdi
    movq (%rsp), %rsi
    leaq 8(%rsp), %rdx
    xorl %ecx, %ecx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    call __libc_start_main
    ud2

    .section .note.GNU-stack, "", @progbits
