"""The process of one run of a sweep: python -m rankqa_cli.ablation_run FOLDER ID [--wait]."""

import os
import sys
import threading
from pathlib import Path


def main() -> None:
    """Carry out the run; the process ends when the one that began it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from rankqa_cli.modalities import get_modality
    from shared_engine.ablation.local import EXIT_BUSY
    from shared_engine.ablation.sweep import Sweep, carry_out

    folder, run_id, *flags = sys.argv[1:]
    try:
        state = carry_out(Sweep(Path(folder)), run_id, get_modality, wait="--wait" in flags)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(EXIT_BUSY if state is None else int(state == "failed"))


def _end_with_parent() -> None:
    """Its end closes the pipe that is this process's standard input."""
    # Not sys.stdin, whose lock a thread that waits would hold at the end of the interpreter.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
