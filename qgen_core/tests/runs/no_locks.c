/* A file system without locks, for LD_PRELOAD: every lock fails as on a mount without lockd. */
#include <errno.h>

int flock(int handle, int operation) {
    errno = ENOLCK;
    return -1;
}
