"""How the process gets its memory from the system."""

import ctypes
import sys

# From glibc's malloc.h: mallopt's names for the limits used here.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let the C library keep large blocks that were freed, for the next step of training to take again.

    By default it gives every block above 32 MiB back at once, and the system then clears each page anew when the next
    step touches it: a quarter to a third of the time of a small network on a CPU. Returns whether it could be asked,
    which is so on Linux with glibc. What is kept is given back at the process's end. The peak grows, as blocks of
    several sizes do not always fit into each other: by a tenth for PointNet++ with one scale, by half with several.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # -1: never. The largest number, 2 GiB, is not enough for PointNet++ with several scales.
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))
