"""Runs of a sweep on a Ray cluster; the machines share the folder of the sweep."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from shared_engine.ablation.local import run_in_process
from shared_engine.ablation.run_process import Start
from shared_engine.ablation.sweep import State, Sweep
from shared_engine.names import UsageProblem

NODE_LOSSES = 10
"""How often Ray may begin a run again because its machine was lost."""


def run_on_ray(
    sweep: Sweep,
    run_ids: Sequence[str],
    start: Start,
    *,
    address: str | None,
    slots: int,
    threads: int,
    gpus: float,
) -> Iterator[tuple[str, State]]:
    """Carry out all runs, each with so many cores and GPUs; yields each as it ends.

    A run on a machine that is lost is begun again on another and goes on from its last epoch.

    Args:
        sweep: its folder must have the same path on all machines.
        run_ids: ids of its index.
        start: gives a run its process; Ray carries it to the machines.
        address: of the cluster ("host:port", or "auto" for the one on this machine); None starts one here.
        slots: at most so many runs at the same time on a cluster started here.
        threads: cores of a run.
        gpus: GPUs of a run, or a share of one; Ray shows each run its own.

    Raises:
        UsageProblem: Ray is not installed, or there is no cluster.
    """
    try:
        # By name: type checkers without the extra do not find it.
        ray: Any = import_module("ray")
    except ImportError:
        raise UsageProblem("--executor ray needs Ray: pip install 'rankqa[sweep]'") from None
    here = {"num_cpus": slots * threads} if address is None else {}
    try:
        ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR", **here)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageProblem(f"no Ray cluster at {address}: {error}") from None
    resolved = Sweep(sweep.folder.resolve())
    task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=NODE_LOSSES)(run_in_process)
    try:
        for wait in (False, True):
            tasks = {task.remote(resolved, run_id, start, wait=wait): run_id for run_id in run_ids}
            run_ids = []
            waiting = list(tasks)
            while waiting:
                (done,), waiting = ray.wait(waiting, num_returns=1)
                state = ray.get(done)
                if state is None:
                    run_ids.append(tasks[done])
                else:
                    yield tasks[done], state
    finally:
        ray.shutdown()
