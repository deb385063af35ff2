"""Training from files beside training the same model on tensors that lie ready in memory.

    python benchmarks/training_throughput.py MODALITY MANIFEST [--recipe NAME] [--set KEY=VALUE ...] [--cache FOLDER]

Epochs of both kinds alternate. Decoding is over before: from the second epoch on only the cache is read. To reach:
0.95 of the speed of ready tensors. Exits with 1 below.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

# As the command line does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

from rankqa_cli.modalities import get_modality
from rankqa_datasets.cache import ArrayCache
from shared_engine.config_files import parse_setting, read_recipe, resolve_config
from shared_engine.environment import peak_memory_mb
from shared_engine.fit import Training, train_one_epoch
from shared_engine.names import build
from shared_engine.parts import read_parts
from shared_engine.stimuli import model_input
from shared_engine.train import build_objective, launch


class ReadyBatches:
    """As many batches as an epoch has, of the tensors of its first: only the rows change."""

    def __init__(self, loader, batches, device):
        self.batches = batches
        self.ready = model_input({name: tensor.to(device) for name, tensor in next(iter(loader)).items()})

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for draws in self.batches:
            size = len(draws)
            batch = {name: tensor[:size] for name, tensor in self.ready.items()}
            yield batch | {"rows": torch.tensor([draw.row for draw in draws], device=batch["rows"].device)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modality")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--recipe", default="compact-cnn")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    kind = get_modality(args.modality)
    layers = [{"modality": args.modality}, read_recipe(args.recipe, kind.recipes)]
    layers += [{"data": {"manifest": str(args.manifest)}}, *map(parse_setting, args.settings)]
    config = resolve_config(kind.config_type, layers)
    parts = read_parts(config.data, need_validation=False)
    fabric = launch(config.engine)
    with tempfile.TemporaryDirectory() as folder:
        reader = kind.reader(config, ArrayCache(args.cache or folder))
        model = build("model", config.model.name, kind.models, config.model.options)
        training = Training(config, parts, model, build_objective(config.objective, parts), reader, fabric)
        train_one_epoch(training)  # fills the cache
        loaders = {"files": training.loader, "ready": ReadyBatches(training.loader, training.batches, fabric.device)}
        seconds = {name: [] for name in loaders}
        for _ in range(args.repeats):
            for name, training.loader in loaders.items():
                begin = time.perf_counter()
                train_one_epoch(training)
                seconds[name].append(time.perf_counter() - begin)
    ratio = statistics.median(ready / files for files, ready in zip(seconds["files"], seconds["ready"], strict=True))
    for name, values in seconds.items():
        print(f"{name}: {len(parts.train) / statistics.median(values):.0f} stimuli/s")
    print(f"files / ready {ratio:.3f} (at least 0.95), peak memory {peak_memory_mb():.0f} MB, device {fabric.device}")
    sys.exit(0 if ratio >= 0.95 else 1)


if __name__ == "__main__":
    main()
