/*
 * crypto/p256.c as a host program that answers calls: a line "name hex hex ..." on standard input
 * gets a line of hex on standard output. Numbers are 32 bytes, big-endian; points 4, x, y, or 0 for
 * infinity. p256.test.ts compiles it, asks, and knows the answers.
 */
#include "../crypto/p256.c"
#include <stdio.h>

_Noreturn void abort(void);

#define ARGUMENTS_MAX 5
static uint8_t arguments[ARGUMENTS_MAX][65];
static size_t counts[ARGUMENTS_MAX];

/* Nonces come from the arguments, so that the caller has them all tried. */
int chance_draw(void *chance, unsigned char *out, size_t count) {
    int *next = (int *)chance;
    memcpy(out, arguments[(*next)++], count);
    return 0;
}
void mbedtls_platform_zeroize(void *memory, size_t count) { memset(memory, 0, count); }

static void print(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) printf("%02x", bytes[i]);
    printf("\n");
}

static void print_number(struct number number) {
    uint8_t bytes[32];
    write_number(bytes, number);
    print(bytes, sizeof(bytes));
}

static void print_point(struct point point) {
    uint8_t bytes[65] = {4};
    struct number x, y;
    if (is_zero(&point.z)) return print(&bytes[1], 1);
    write_point(&point, &x, &y);
    write_number(bytes + 1, x), write_number(bytes + 33, y);
    print(bytes, sizeof(bytes));
}

static bool call_field(const char *name) {
    struct number a = read_number(arguments[0]), c = read_number(arguments[1]), out;
    if (strcmp(name, "mul") == 0) mul(&out, &a, &c);
    else if (strcmp(name, "mul_n") == 0) mul_n(&out, &a, &c);
    else if (strcmp(name, "add") == 0) add(&out, &a, &c);
    else if (strcmp(name, "add_n") == 0) add_modulo(&out, &a, &c, &n);
    else if (strcmp(name, "sub") == 0) sub(&out, &a, &c);
    else return false;
    print_number(out);
    return true;
}

static struct point point_of(int i) {
    struct point point = infinity();
    if (counts[i] == 65 && !read_point(arguments[i], &point)) abort();
    return point;
}

static bool call_points(const char *name) {
    struct number k = read_number(arguments[0]), b = read_field(curve_b);
    if (strcmp(name, "base") == 0) {
        print_point(multiply_base(&k));
    } else if (strcmp(name, "times") == 0) {
        struct point point = point_of(1);
        print_point(multiply(&k, &point));
    } else if (strcmp(name, "sum") == 0) {
        struct point left = point_of(0), right = point_of(1);
        print_point(add_points(&left, &right, &b));
    } else if (strcmp(name, "twice") == 0) {
        struct point point = point_of(0);
        double_point(&point, &b);
        print_point(point);
    } else {
        return false;
    }
    return true;
}

static bool call_curve(const char *name) {
    uint8_t out[65];
    if (strcmp(name, "public") == 0) {
        print(out, make_public(arguments[0], out) ? 65 : 0);
    } else if (strcmp(name, "agree") == 0) {
        print(out, agree(arguments[0], arguments[1], out) ? 32 : 0);
    } else if (strcmp(name, "sign") == 0) { /* scalar, digest, nonces. */
        int next = 2;
        struct view digest = {arguments[1], (uint32_t)counts[1]};
        print(out, sign(arguments[0], digest, (struct chance *)&next, out) ? 64 : 0);
    } else if (strcmp(name, "verify") == 0) { /* point, digest, halves. */
        struct view digest = {arguments[1], (uint32_t)counts[1]};
        out[0] = verify(arguments[0], digest, arguments[2]);
        print(out, 1);
    } else {
        return false;
    }
    return true;
}

int main(void) {
    char line[ARGUMENTS_MAX * 131 + 20];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *name = strtok(line, " \n"), *hex;
        memset(arguments, 0, sizeof(arguments)), memset(counts, 0, sizeof(counts));
        for (int i = 0; i < ARGUMENTS_MAX && (hex = strtok(NULL, " \n")) != NULL; i++) {
            counts[i] = strlen(hex) / 2;
            for (size_t at = 0; at < counts[i]; at++)
                if (sscanf(hex + 2 * at, "%2hhx", &arguments[i][at]) != 1) abort();
        }
        if (!call_field(name) && !call_points(name) && !call_curve(name)) abort();
    }
    return 0;
}
