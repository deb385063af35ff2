"""Runs of a sweep on this machine: so many at a time, each in a process of its own."""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from shared_engine.ablation.run_process import Start
from shared_engine.ablation.sweep import State, Sweep
from shared_engine.run_folder import write_json

ATTEMPTS = 3
"""How often a run is begun when its process is killed, for its memory for example."""

EXIT_BUSY = 75
"""Exit code of a process whose run another process has (EX_TEMPFAIL of sysexits.h)."""


def run_in_process(sweep: Sweep, run_id: str, start: Start, *, wait: bool) -> State | None:
    """Carry out one run in a process of its own and wait for its end; None if another process has it."""
    code = 0
    for _ in range(ATTEMPTS):
        code = start(run_id, wait)
        if code == EXIT_BUSY:
            return None
        if code in (-signal.SIGINT, 128 + signal.SIGINT):
            raise KeyboardInterrupt
        if sweep.state(run_id) != "open":
            return sweep.state(run_id)
    reason = f"the process ended {ATTEMPTS} times without a result (exit code {code}); out of memory, perhaps"
    write_json(sweep.beside(run_id, "failure.json"), {"error": reason})
    return "failed"


def run_locally(sweep: Sweep, run_ids: Sequence[str], start: Start, *, slots: int) -> Iterator[tuple[str, State]]:
    """Carry out all runs, `slots` at a time; yields each as it ends. Those that another sweep has come last."""
    for wait in (False, True):
        busy = []
        with ThreadPoolExecutor(slots) as pool:
            started = {pool.submit(run_in_process, sweep, run_id, start, wait=wait): run_id for run_id in run_ids}
            try:
                for done in as_completed(started):
                    state = done.result()
                    if state is None:
                        busy.append(started[done])
                    else:
                        yield started[done], state
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        run_ids = busy
