"""Two ways to give a run of a sweep a process of its own."""

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext

import torch

Start = Callable[[str, bool], int]
"""(run id, whether to wait for another process that has it) -> exit code, once its process has ended."""


def thread_variables(threads: int) -> dict[str, str]:
    """What libraries read of the environment when they are imported."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads))


@dataclass(frozen=True)
class NewProcess:
    """Starts a program for each run: for other machines, and for runs that start programs themselves.

    The program can tell that this process has ended, however it ended: its standard input closes then.

    Attributes:
        program: the command line of a run.
        threads: that each may use.
    """

    program: Callable[[str, bool], Sequence[str]]
    threads: int

    def __call__(self, run_id: str, wait: bool) -> int:
        """Start it and wait for its end."""
        environment = os.environ | thread_variables(self.threads)
        with subprocess.Popen(self.program(run_id, wait), stdin=subprocess.PIPE, env=environment) as process:
            # Not communicate(), which would close the pipe.
            return process.wait()


class ForkedProcess:
    """Forks a process for each run from a server that has imported everything already, which takes seconds.

    `multiprocessing.parent_process()` tells the run that this process has ended.
    """

    def __init__(self, work: Callable[[str, bool], None], threads: int, preload: Sequence[str]) -> None:
        """Choose what the server imports; it starts with the first run, in the environment of then.

        Args:
            work: carries out a run; importable by name, as it travels to another process.
            threads: that torch may use in each run.
            preload: modules that the server imports.
        """
        self.work, self.threads = work, threads
        self.context: ForkServerContext = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(preload))

    def __call__(self, run_id: str, wait: bool) -> int:
        """Fork and wait for the end."""
        process = self.context.Process(target=_work, args=(self.work, run_id, wait, self.threads))
        process.start()
        process.join()
        return process.exitcode or 0


def _work(work: Callable[[str, bool], None], run_id: str, wait: bool, threads: int) -> None:
    torch.set_num_threads(threads)
    work(run_id, wait)
