"""The process of one run of a sweep: forked, or python -m rankqa_cli.ablation_run FOLDER ID [--wait]."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rankqa_cli.modalities import get_modality
from shared_engine.ablation.carry_out import carry_out
from shared_engine.ablation.local import EXIT_BUSY
from shared_engine.ablation.sweep import Sweep


@dataclass(frozen=True)
class AblationRun:
    """Carries out runs of the sweep `sweep`, each as the whole of this process."""

    sweep: Sweep

    def __call__(self, run_id: str, wait: bool) -> None:
        """In a process forked for it, which ends with the one that began it."""
        parent = multiprocessing.parent_process()
        assert parent is not None
        _end_with(parent.join)
        self.run(run_id, wait)

    def run(self, run_id: str, wait: bool) -> None:
        """Carry out the run and leave the process: 0 finished, 1 failed, 75 another process has it."""
        try:
            state = carry_out(self.sweep, run_id, get_modality, wait=wait)
        except KeyboardInterrupt:
            sys.exit(130)
        sys.exit(EXIT_BUSY if state is None else int(state == "failed"))


def main() -> None:
    """Carry out the run that the command line names."""
    # Not sys.stdin, whose lock a thread that waits would hold at the end of the interpreter.
    _end_with(lambda: os.read(0, 1))
    folder, run_id, *flags = sys.argv[1:]
    AblationRun(Sweep(Path(folder))).run(run_id, "--wait" in flags)


def _end_with(wait_for_parent: Callable[[], object]) -> None:
    """Ends this process as soon as the function returns, in whatever it is doing."""

    def watch() -> None:
        wait_for_parent()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
