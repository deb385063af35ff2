"""What the loss and its bank cost beside a training step of ResNet-50.

    python benchmarks/losses/training_share.py --device cuda
    python benchmarks/losses/training_share.py --device cpu --batch 4 --pixels 64 --repeats 3

To reach on a GPU, with batches of 64, 224 pixels, bf16 and a bank of 65,536 rows: under 1 % of the step. The step is
forward and backward of the network with a plain sum as its loss, and SGD; the loss part is viewing the bank, loss and
gradient, and the push. Exits with 1 where the figure is missed.
"""

import argparse
import statistics
import sys
import time

import torch

from shared_engine.timm_import import import_timm
from shared_losses import Objective, ScoreBank, Term


def median_ms(step, repeats, device):
    times = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        step()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:]) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--bank", type=int, default=65_536)
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    torch.manual_seed(0)
    network = import_timm().create_model("resnet50", num_classes=1).to(args.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    images = torch.rand(args.batch, 3, args.pixels, args.pixels, device=args.device)
    objective = Objective([Term("spearman", use_bank=True), Term("mse", 0.1)], ScoreBank(args.bank)).to(args.device)
    everything = torch.randn(args.bank, device=args.device)
    objective.banks[0].push(everything, everything, torch.arange(args.bank, device=args.device))
    scores = torch.randn(args.batch, device=args.device)
    ids = torch.arange(args.batch, device=args.device)

    def train():
        with torch.autocast(args.device, dtype=torch.bfloat16):
            total = network(images).float().sum()
        total.backward()
        optimizer.step()
        optimizer.zero_grad()

    def rank():
        own = scores.detach().requires_grad_()
        objective(own, scores * 2, ids=ids)[0].backward()
        objective.push()

    step, loss = (median_ms(call, args.repeats, args.device) for call in (train, rank))
    print(f"torch {torch.__version__}, {args.device}, batch {args.batch}, {args.pixels} px, bank {args.bank:,}")
    print(f"training step {step:.2f} ms, loss and bank {loss:.2f} ms: {100 * loss / step:.2f} %")
    sys.exit(1 if args.device != "cpu" and loss / step > 0.01 else 0)


if __name__ == "__main__":
    main()
