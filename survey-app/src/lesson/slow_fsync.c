/* A slow disk: each fdatasync takes 10 ms more. Loaded into PostgreSQL's primary by `survey-app lesson commit`. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fd)
{
    struct timespec left = {0, 10 * 1000 * 1000};
    while (nanosleep(&left, &left) != 0) {
    }
    return (int) syscall(SYS_fdatasync, fd);
}
