/* A library to preload: the n-th change of a file below a folder fails, once or from then on.

   Changes are writes, truncations, synchronisations, and creating, renaming and linking files. The
   process arms the library itself, so that what it did before is not counted. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static long fails_at = -1;
static int lasting = 0;
static int error_number = ENOSPC;
static long changes = 0;

void faults_arm(const char *folder, long nth, int from_then_on, int number) {
    strncpy(below, folder, sizeof below - 1);
    fails_at = nth;
    lasting = from_then_on;
    error_number = number;
    changes = 0;
}

long faults_changes(void) { return changes; }

static int fails(const char *path) {
    if (!below[0] || !path || strncmp(path, below, strlen(below)) != 0) return 0;
    long number = changes++;
    if (fails_at < 0) return 0;
    if (number == fails_at || (lasting && number > fails_at)) {
        errno = error_number;
        return 1;
    }
    return 0;
}

static int fails_fd(int fd) {
    char link[64];
    char path[PATH_MAX];
    if (!below[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path);
}

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    NEXT(write);
    return fails_fd(fd) ? -1 : next(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    NEXT(pwrite);
    return fails_fd(fd) ? -1 : next(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    NEXT(pwrite64);
    return fails_fd(fd) ? -1 : next(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    NEXT(writev);
    return fails_fd(fd) ? -1 : next(fd, parts, count);
}
int fsync(int fd) {
    NEXT(fsync);
    return fails_fd(fd) ? -1 : next(fd);
}
int ftruncate(int fd, off_t size) {
    NEXT(ftruncate);
    return fails_fd(fd) ? -1 : next(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    NEXT(ftruncate64);
    return fails_fd(fd) ? -1 : next(fd, size);
}
int rename(const char *from, const char *to) {
    NEXT(rename);
    return fails(to) ? -1 : next(from, to);
}
int link(const char *from, const char *to) {
    NEXT(link);
    return fails(to) ? -1 : next(from, to);
}
int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    return fails(path) ? -1 : next(path, mode);
}

static int changes_files(int flags) { return flags & (O_CREAT | O_TRUNC); }

/* The mode is given only where a file may be created. */
#define OPEN(name)                                                            \
    int name(const char *path, int flags, ...) {                              \
        va_list rest;                                                         \
        va_start(rest, flags);                                                \
        mode_t mode = (flags & O_CREAT) ? va_arg(rest, mode_t) : 0;           \
        va_end(rest);                                                         \
        NEXT(name);                                                           \
        return changes_files(flags) && fails(path) ? -1 : next(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
