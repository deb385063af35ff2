"""Jobs in several processes, with a progress bar and an end that leaves nothing behind."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any

from tqdm import tqdm


def processors() -> int:
    """Those that this process may use; all of the machine's where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_processes(count: int) -> Iterator[Callable[[Callable[[Any], Any], Sequence[Any], str], Iterable[Any]]]:
    """A function of (work, jobs, what is counted): outcomes in the order of the jobs, with a progress bar.

    Processes, as NumPy's small steps hold Python's lock. Not forked ones: a caller may hold threads (torch's, tqdm's),
    whose locks a forked process would inherit.
    """
    bar = partial(tqdm, leave=False, disable=None)
    if count == 1:
        yield lambda work, jobs, what: bar(map(work, jobs), desc=what, total=len(jobs))
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
        # If a job fails, map cancels those that have not begun.
        yield lambda work, jobs, what: bar(pool.map(work, jobs), desc=what, total=len(jobs))


def _begin_worker() -> None:
    """Ctrl-C reaches all processes of a shell's job: the parent ends the others, also when it is killed itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
