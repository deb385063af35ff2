"""Stimuli as a torch data set, and the batches of an epoch."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from rankqa_datasets.manifest import Stimulus
from shared_engine.modality import Reader, read_stimulus
from shared_engine.seeding import derive_seed

Batch = dict[str, Tensor]


def model_input(batch: Batch) -> Batch:
    """The batch as models take it: pixels, the only bytes in it, become float32 in [0, 1].

    Readers hand out bytes, since this is the cheapest place to convert: after the transfer to the device, for a whole
    batch at once, with the layout in memory left as it is.
    """
    return {name: tensor.float().div_(255) if tensor.dtype == torch.uint8 else tensor for name, tensor in batch.items()}


class Draw(NamedTuple):
    """One stimulus to read: its row, and the seed of its random crops (None: the fixed ones of evaluation)."""

    row: int
    seed: int | None


class StimulusDataset(Dataset[Batch]):
    """The reader's tensors of a stimulus with its row, target and opinion spread."""

    def __init__(self, stimuli: Sequence[Stimulus], reader: Reader, *, full_reference: bool = False) -> None:
        self.stimuli = stimuli
        self.reader = reader
        self.full_reference = full_reference

    def __len__(self) -> int:
        return len(self.stimuli)

    def __getitem__(self, draw: Draw) -> Batch:
        stimulus = self.stimuli[draw.row]
        generator = None if draw.seed is None else torch.Generator().manual_seed(draw.seed)
        tensors = read_stimulus(
            self.reader, stimulus.path, stimulus.reference, generator, full_reference=self.full_reference
        )
        spread = float("nan") if stimulus.target_std is None else stimulus.target_std
        return tensors | {
            "rows": torch.tensor(draw.row),
            "targets": torch.tensor(stimulus.target, dtype=torch.float32),
            "target_std": torch.tensor(spread, dtype=torch.float32),
        }


class EpochBatches(Sampler[list[Draw]]):
    """Shuffled batches, a function of (seed, epoch) alone; each process takes its share of each global batch.

    A last batch is cut to a multiple of the number of processes with at least two stimuli each, since neither a rank
    loss nor batch normalisation is defined for one; `drop_last` leaves out every batch that is not full.
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        seed: int,
        *,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_rows, self.batch_size, self.seed = num_rows, batch_size, seed
        self.drop_last = drop_last
        self.rank, self.world_size = rank, world_size
        self.epoch = 0

    def _sizes(self) -> list[int]:
        full, rest = divmod(self.num_rows, self.batch_size)
        rest -= rest if self.drop_last else rest % self.world_size
        return [self.batch_size] * full + ([rest] if rest >= 2 * self.world_size else [])

    def __len__(self) -> int:
        return len(self._sizes())

    def __iter__(self) -> Iterator[list[Draw]]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch))
        order = torch.randperm(self.num_rows, generator=generator).tolist()
        start = 0
        for size in self._sizes():
            rows = order[start : start + size][self.rank :: self.world_size]
            yield [Draw(row, derive_seed(self.seed, "crops", self.epoch, row)) for row in rows]
            start += size


class GroupBatches(EpochBatches):
    """Batches of whole groups, shuffled; as many groups to a batch as fit with the largest of them, at least one."""

    def __init__(
        self, groups: Sequence[Sequence[int]], batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__(sum(map(len, groups)), batch_size, seed, rank=rank, world_size=world_size)
        self.groups = groups
        self.per_batch = max(1, batch_size // max(map(len, groups)))

    def __len__(self) -> int:
        return -(-len(self.groups) // self.per_batch)

    def __iter__(self) -> Iterator[list[Draw]]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "order", self.epoch))
        order = torch.randperm(len(self.groups), generator=generator).tolist()
        for start in range(0, len(order), self.per_batch):
            rows = [row for group in order[start : start + self.per_batch] for row in self.groups[group]]
            own = rows[self.rank :: self.world_size]
            yield [Draw(row, derive_seed(self.seed, "crops", self.epoch, row)) for row in own]


def training_loader(dataset: StimulusDataset, batches: EpochBatches, workers: int) -> DataLoader[Batch]:
    """Batches of random crops; set `batches.epoch` before each pass."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        # Without one of its own it draws from torch's global generator, as often as it starts processes: dropout
        # would depend on them.
        generator=torch.Generator(),
    )


def read_ahead(loader: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """The same batches, each read by a thread of its own while the device works on the one before.

    Not where the device is the CPU: its cores are all at work, and one that is taken away holds up the others.
    """
    if device.type == "cpu":
        yield from loader
        return
    batches = iter(loader)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def evaluation_loader(
    dataset: StimulusDataset, batch_size: int, workers: int, *, rank: int = 0, world_size: int = 1
) -> DataLoader[Batch]:
    """Each stimulus once, over all processes together: nothing is repeated to fill a batch.

    A process for which none is left reads the first one too, since scores are gathered from all of them.
    """
    every = list(range(len(dataset)))
    rows = every[rank::world_size] or every[:1]
    batches = [[Draw(row, None) for row in rows[i : i + batch_size]] for i in range(0, len(rows), batch_size)]
    # Any iterable of lists of indices serves as a batch sampler; the stub asks for a Sampler.
    return DataLoader(dataset, batch_sampler=batches, num_workers=workers)  # pyright: ignore[reportArgumentType]
