/* Loaded into a server before its C library: its clocks may be wrong and its disk may fail.
 *
 * RAFTKV_CHAOS_CONTROL names a file that is mapped here and written by the harness while the server runs:
 *   version  odd while it is being written
 *   clocks   wall time is off by wall_offset; monotonic time runs at `rate` since `rate_from`, where it was `rate_base`
 *   disk     syncs take sync_delay_us more, and fail with sync_errno; writes fail with write_errno. 0: they do not.
 * RAFTKV_CHAOS_JOURNAL names a file to which a line is appended for every sync that was done: `<inode> <size>`, the size being
 * that at the beginning of the sync; -1 where a file is gone, for its inode will be that of another. From it the harness knows,
 * after a kill, what a power failure would have left.
 * RAFTKV_CHAOS_DATA names the folder to which all that is about the disk is confined.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    volatile uint64_t version;
    volatile int64_t wall_offset_ns, rate_from_ns, rate_base_ns;
    volatile double rate;
    volatile int64_t sync_delay_us, sync_errno, write_errno;
};

static struct control *control;
static int journal = -1;
static char data_folder[PATH_MAX];
static size_t data_length;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RAFTKV_CHAOS_CONTROL");
    const char *folder = getenv("RAFTKV_CHAOS_DATA");
    const char *lines = getenv("RAFTKV_CHAOS_JOURNAL");
    if (path != NULL) {
        int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        if (file >= 0) {
            void *map = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, file, 0);
            control = map == MAP_FAILED ? NULL : map;
            syscall(SYS_close, file);
        }
    }
    if (folder != NULL && strlen(folder) < sizeof data_folder) {
        strcpy(data_folder, folder);
        data_length = strlen(folder);
    }
    if (lines != NULL)
        journal = syscall(SYS_openat, AT_FDCWD, lines, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static struct control settings(void) {
    struct control copy;
    uint64_t before;
    do {
        before = control->version;
        __sync_synchronize();
        memcpy(&copy, (const void *)control, sizeof copy);
        __sync_synchronize();
    } while ((before & 1) || before != control->version);
    return copy;
}

/* ---- clocks */

static int64_t whole(const struct timespec *time) { return time->tv_sec * 1000000000LL + time->tv_nsec; }

static void split(int64_t ns, struct timespec *time) {
    time->tv_sec = ns / 1000000000LL;
    time->tv_nsec = ns % 1000000000LL;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*next)(clockid_t, struct timespec *);
    if (next == NULL) next = dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, time);
    if (result != 0 || control == NULL) return result;
    struct control now = settings();
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        split(whole(time) + now.wall_offset_ns, time);
    else if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME)
        split(now.rate_base_ns + (int64_t)((double)(whole(time) - now.rate_from_ns) * now.rate), time);
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return -1;
    time->tv_sec = precise.tv_sec;
    time->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0) return (time_t)-1;
    if (out != NULL) *out = precise.tv_sec;
    return precise.tv_sec;
}

/* ---- disk */

static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return data_length > 0 && strncmp(path, data_folder, data_length) == 0;
}

static void note(long long inode, long long size) {
    char line[64];
    if (journal < 0) return;
    int length = snprintf(line, sizeof line, "%lld %lld\n", inode, size);
    syscall(SYS_write, journal, line, (size_t)length);
}

static int synced(int file, int (*sync)(int)) {
    char path[PATH_MAX];
    struct stat before;
    if (control == NULL || !path_of(file, path) || fstat(file, &before) != 0) return sync(file);
    struct control now = settings();
    if (now.sync_delay_us > 0) {
        struct timespec pause;
        split(now.sync_delay_us * 1000, &pause);
        nanosleep(&pause, NULL);
    }
    if (now.sync_errno != 0) {
        errno = (int)now.sync_errno;
        return -1;
    }
    int result = sync(file);
    if (result == 0 && S_ISREG(before.st_mode)) note((long long)before.st_ino, (long long)before.st_size);
    return result;
}

int fsync(int file) {
    static int (*next)(int);
    if (next == NULL) next = dlsym(RTLD_NEXT, "fsync");
    return synced(file, next);
}

int fdatasync(int file) {
    static int (*next)(int);
    if (next == NULL) next = dlsym(RTLD_NEXT, "fdatasync");
    return synced(file, next);
}

static int refused(int file) {
    char path[PATH_MAX];
    if (control == NULL || control->write_errno == 0 || !path_of(file, path)) return 0;
    errno = (int)settings().write_errno;
    return errno != 0;
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "write");
    return refused(file) ? -1 : next(file, data, size);
}

ssize_t writev(int file, const struct iovec *pieces, int count) {
    static ssize_t (*next)(int, const struct iovec *, int);
    if (next == NULL) next = dlsym(RTLD_NEXT, "writev");
    return refused(file) ? -1 : next(file, pieces, count);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t place) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (next == NULL) next = dlsym(RTLD_NEXT, "pwrite64");
    return refused(file) ? -1 : next(file, data, size, place);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t place) { return pwrite64(file, data, size, place); }

/* The file at a path is about to go: its inode, or -1. */
static long long going(const char *path) {
    struct stat facts;
    return journal >= 0 && lstat(path, &facts) == 0 && S_ISREG(facts.st_mode) ? (long long)facts.st_ino : -1;
}

int unlink(const char *path) {
    static int (*next)(const char *);
    if (next == NULL) next = dlsym(RTLD_NEXT, "unlink");
    long long inode = going(path);
    int result = next(path);
    if (result == 0 && inode >= 0) note(inode, -1);
    return result;
}

int rename(const char *from, const char *to) {
    static int (*next)(const char *, const char *);
    if (next == NULL) next = dlsym(RTLD_NEXT, "rename");
    long long inode = going(to);
    int result = next(from, to);
    if (result == 0 && inode >= 0) note(inode, -1);
    return result;
}
