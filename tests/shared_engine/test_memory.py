import subprocess
import sys

import pytest

from shared_engine.memory import keep_freed_memory

# Touches 64 MB, frees it and touches it again; prints the pages that the second time had to be cleared.
SCRIPT = """
import ctypes, resource, sys
from shared_engine.memory import keep_freed_memory
assert "--keep" not in sys.argv or keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks glibc")
def test_a_freed_block_is_taken_again():
    def faults(*arguments: str) -> int:
        done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("--keep") < 100 < faults()


def test_elsewhere_it_says_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
