"""Processes whose clock a test sets: a preloaded library adds seconds to their time."""

import asyncio
import mmap
import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t moved(void) {
    static volatile int64_t *seconds;
    if (!seconds) {
        int file = open(getenv("MOVED_CLOCK"), O_RDONLY);
        seconds = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
        close(file);
    }
    return *seconds;
}

int clock_gettime(clockid_t id, struct timespec *found) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, found);
    if (id == CLOCK_REALTIME) found->tv_sec += moved();
    return result;
}

int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec;
    found->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found) *found = now.tv_sec;
    return now.tv_sec;
}
"""


def open_seconds(file: Path) -> mmap.mmap:
    """Return the place where the seconds stand that are added to the time."""
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), 8)


def move(place: mmap.mmap, seconds: int) -> None:
    """Set the clocks of all processes that read this place so many seconds ahead of the right time."""
    place[:] = struct.pack("<q", seconds)


class MovedClock:
    """``environment`` is what a process needs to see the moved time, ``prefix`` goes in front of a server's command.

    Skips the test without a compiler.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("there is no C compiler to build the library that moves a server's clock")
        source, library, seconds = folder / "clock.c", folder / "clock.so", folder / "seconds"
        source.write_text(_SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        seconds.write_bytes(bytes(8))
        self._seconds = open_seconds(seconds)
        self.environment = {"LD_PRELOAD": str(library), "MOVED_CLOCK": str(seconds)}
        self.prefix = ["env", *(f"{name}={value}" for name, value in self.environment.items())]

    async def set(self, redis: Redis, seconds: int) -> None:
        """Set the server's clock a number of seconds ahead of the right time (or behind it), and wait until it is."""
        move(self._seconds, seconds)
        while abs((await redis.time())[0] - time.time() - seconds) > 1.5:
            await asyncio.sleep(0.01)
