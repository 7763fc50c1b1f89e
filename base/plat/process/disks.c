/*
 * Disks: files and block devices, opened before the sandbox and never grown. One call is one
 * system call; targets/process/file-block.ts makes a block device of it.
 */
#include "process.h"
#include "engine.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 512u

struct disk disks[DISKS_MAX];
uint32_t disk_count;

static _Noreturn void cannot(const char *file, int error) {
    const char *mend = "name a file that exists: truncate --size=1M FILE makes one";
    if (error == EACCES || error == EROFS) mend = "take the right to write, or add ,readonly";
    if (error == EWOULDBLOCK) {
        fail(EXIT_UNAVAILABLE, file, "another process uses this disk", "end it, or take a copy");
    }
    fail(EXIT_UNAVAILABLE, file, strerror(error), mend);
}

/* Opened here, while the arguments are read; NAME=FILE or NAME=FILE,readonly. */
void disks_add(char *spec) {
    char *file = strchr(spec, '=');
    if (disk_count == DISKS_MAX) fail(EXIT_USAGE, spec, "too many disks", "give it 8 at most");
    if (file == NULL || file == spec || !file[1]) {
        fail(EXIT_USAGE, spec, "not a disk", "give it NAME=FILE");
    }
    *file++ = 0;
    for (uint32_t i = 0; i < disk_count; i++) {
        if (strcmp(disks[i].name, spec) == 0) fail(EXIT_USAGE, spec, "two disks have this name", "rename one");
    }
    struct disk *disk = &disks[disk_count++];
    size_t bytes = strlen(file);
    disk->name = spec;
    disk->read_only = bytes > 9 && strcmp(file + bytes - 9, ",readonly") == 0;
    if (disk->read_only) file[bytes - 9] = 0;
    disk->fd = open(file, disk->read_only ? O_RDONLY : O_RDWR);
    struct stat status;
    if (disk->fd < 0 || fstat(disk->fd, &status) < 0) cannot(file, errno);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        fail(EXIT_UNAVAILABLE, file, "neither a file nor a block device", "name one that is");
    }
    if (flock(disk->fd, (disk->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) cannot(file, errno);
    off_t end = lseek(disk->fd, 0, SEEK_END);
    if (end < 0) cannot(file, errno);
    if (end == 0 || end % BLOCK_BYTES != 0) {
        fail(EXIT_UNAVAILABLE, file, "its size is not a multiple of 512", "truncate --size=1M FILE");
    }
    disk->bytes = (uint64_t)end;
}

/* diskRead (0) and diskWrite (1): (disk, at, bytes). 0, or the positive errno. */
static JSValue transfer_js(MAGIC_ARGUMENTS) {
    uint64_t index, at;
    struct view view;
    if (!natural_of(argv[0], &index) || index >= disk_count) return THROW_RANGE("disk");
    const struct disk *disk = &disks[index];
    if (!natural_of(argv[1], &at) || !bytes_of(argv[2], &view) || view.count > DISK_BYTES_MAX
        || at > disk->bytes || view.count > disk->bytes - at || (magic == 1 && disk->read_only)) {
        return THROW_RANGE("range of a disk");
    }
    for (uint32_t done = 0; done < view.count;) {
        off_t offset = (off_t)(at + done);
        ssize_t n = magic == 0 ? pread(disk->fd, view.bytes + done, view.count - done, offset)
                               : pwrite(disk->fd, view.bytes + done, view.count - done, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return VALUE(n == 0 ? EIO : errno); /* Cut short behind our back. */
        done += (uint32_t)n;
    }
    return VALUE(0);
}

static JSValue flush_js(ARGUMENTS) {
    uint64_t index;
    if (!natural_of(argv[0], &index) || index >= disk_count) return THROW_RANGE("disk");
    return VALUE(disks[index].read_only || fdatasync(disks[index].fd) == 0 ? 0 : errno);
}

static const JSCFunctionListEntry functions[] = {
    MAGIC_METHOD("diskRead", 3, transfer_js, 0), MAGIC_METHOD("diskWrite", 3, transfer_js, 1),
    METHOD("diskFlush", 1, flush_js),
};

void links_install(JSContext *ctx, JSValueConst base);

void engine_install_devices(JSContext *ctx, JSValueConst base) {
    JSValue array = JS_NewArray(ctx);
    for (uint32_t i = 0; i < disk_count; i++) {
        JSValue object = JS_NewObject(ctx);
        JS_SetPropertyStr(ctx, object, "name", JS_NewString(ctx, disks[i].name));
        JS_SetPropertyStr(ctx, object, "bytes", JS_NewInt64(ctx, (int64_t)disks[i].bytes));
        JS_SetPropertyStr(ctx, object, "isReadOnly", JS_NewBool(ctx, disks[i].read_only));
        JS_SetPropertyUint32(ctx, array, i, object);
    }
    JS_SetPropertyStr(ctx, base, "disks", array);
    JS_SetPropertyFunctionList(ctx, base, functions, COUNT_OF(functions));
    links_install(ctx, base);
}
