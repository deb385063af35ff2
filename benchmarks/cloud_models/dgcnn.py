"""DGCNN: a training step of ours beside the same network on PyG's `EdgeConv`.

    python benchmarks/cloud_models/dgcnn.py [--batch 8] [--points 1024] [--runs 2] [--turns 3] [--threads 1]

Both have the published widths, 20 neighbours, the same weights and the same searches for neighbours in the loop
(`pcqa.ops.knn` in space, `nearest_features` in feature space): PyG's `DynamicEdgeConv` wants pyg-lib, which cannot be
installed by name. The peer differs in its edge convolutions alone: `EdgeConv` on edge lists, with PyG's own maximum. A
step is forward, backward and AdamW. Ours keeps freed memory (`shared_engine/memory.py`), as training does; the peer is
measured with and without.

Results are compared on the same neighbours, outputs and gradients, training and evaluating: equal within 1e-5 in
float64. In float32 either side leaves about 1e-5 of rounding (printed), and neighbours found in features that differ by
that may be others.

Each side runs in processes of its own, which take turns; the best step counts, in CPU seconds. Exits with 1 where
results differ or ours is less than twice as fast as the peer with memory kept.
"""

import argparse
import copy
import json
import sys

import torch
from pointnet2 import make_batch
from sides import measure, print_table, take_turns
from torch import nn

import pcqa.models.dgcnn as module
from pcqa.models.dgcnn import DGCNN, nearest_features
from pcqa.models.graph_layers import neighbor_rows
from pcqa.ops.knn import knn
from shared_engine.memory import keep_freed_memory

BOUND, LIMIT = 1e-5, 2.0
OURS, PEER = "ours", "PyG's EdgeConv"
KEPT = f"{PEER}, memory kept"
SIDES = (OURS, PEER, KEPT)


class Peer(nn.Module):
    """Takes the layers of a DGCNN on coordinates alone, and runs the edge convolutions by PyG."""

    def __init__(self, ours):
        from torch_geometric.nn import EdgeConv

        super().__init__()
        ours = copy.deepcopy(ours)
        networks = [ours.first, *(conv.nn for conv in ours.convs)]
        states = [copy.deepcopy(network.state_dict()) for network in networks]
        self.convs = nn.ModuleList(EdgeConv(network) for network in networks)
        for conv, state in zip(self.convs, states, strict=True):  # EdgeConv draws the weights anew.
            conv.nn.load_state_dict(state)
        # Ours has differences of place in a unit of its own.
        self.unit = None
        self.embed, self.head, self.neighbors = ours.embed, ours.head, ours.neighbors

    def forward(self, points, tables=None):
        n, p, _ = points.shape
        if self.unit is None:
            self.unit = module.neighbor_unit(self.neighbors, p)
            with torch.no_grad():
                self.convs[0].nn.lins[0].weight[:, 3:] /= self.unit
        features, levels = points, []
        for level, conv in enumerate(self.convs):
            if tables is not None:
                table = tables[level]
            elif level == 0:
                table = knn(points, points, self.neighbors)[0]
            else:
                table = nearest_features(features, self.neighbors)
            sources = neighbor_rows(table, p)
            targets = torch.arange(len(sources)).repeat_interleave(self.neighbors)
            features = conv(features.flatten(0, 1), torch.stack([sources.flatten(), targets])).view(n, p, -1)
            levels.append(features)
        embedded = self.embed(torch.cat(levels, dim=-1).flatten(0, 1)).view(n, p, -1)
        return self.head(torch.cat([embedded.amax(dim=1), embedded.mean(dim=1)], dim=1)).squeeze(1)


def make_networks(size, batch, dtype=torch.float32):
    points = make_batch(batch, size).to(dtype)
    torch.manual_seed(0)
    ours = DGCNN(use_colors=False, patch_scale=False, dropout=0.0).to(dtype)
    return ours, Peer(ours), points


def make_step(side, size, batch):
    ours, peer, points = make_networks(size, batch)
    model = ours if side == OURS else peer
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        scores = ours({"points": points[:, None]})["scores"] if side == OURS else peer(points)
        scores.square().mean().backward()
        optimizer.step()

    return step


def run_with_tables(ours, points):
    """Scores, and the neighbours that every layer found."""
    tables = [knn(points, points, ours.neighbors)[0]]

    def remember(features, k):
        tables.append(nearest_features(features, k))
        return tables[-1]

    module.nearest_features = remember
    try:
        return ours({"points": points[:, None]})["scores"], tables
    finally:
        module.nearest_features = nearest_features


def largest_differences(size, batch, dtype):
    """Of outputs in evaluation, of outputs in training, and of gradients (over the largest of each weight)."""
    ours, peer, points = make_networks(size, batch, dtype)
    scores, tables = run_with_tables(ours, points)
    others = peer(points, tables)
    training = (scores - others).abs().max().item()
    scores.square().mean().backward()
    others.square().mean().backward()
    pairs = [
        (theirs.nn.lins[0].weight.grad, own.nn.lins[0].weight.grad)
        for theirs, own in zip(peer.convs[1:], ours.convs, strict=True)
    ]
    gradients = max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)
    with torch.no_grad():
        scores, tables = run_with_tables(ours.eval(), points)
        evaluation = (scores - peer.eval()(points, tables)).abs().max().item()
    return evaluation, training, gradients


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--points", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only is not None:
        if args.only != PEER:
            keep_freed_memory()
        print(json.dumps(measure(make_step(args.only, args.points, args.batch), args.runs)))
        return
    differences = {
        dtype: largest_differences(args.points, args.batch, dtype) for dtype in (torch.float64, torch.float32)
    }
    for dtype, (evaluation, training, gradients) in differences.items():
        print(f"{dtype}: outputs differ by {evaluation:.1e} evaluating, {training:.1e} training", end="; ")
        print(f"gradients by {gradients:.1e}")
    arguments = [f"--batch={args.batch}", f"--points={args.points}", f"--runs={args.runs}", f"--threads={args.threads}"]
    best = take_turns(__file__, arguments, SIDES, turns=args.turns, threads=args.threads)
    ratios = print_table(best, args.batch, ours=OURS)
    print(f"{KEPT} / ours: {ratios[KEPT]:.2f} (at least {LIMIT})")
    sys.exit(0 if max(differences[torch.float64]) <= BOUND and ratios[KEPT] >= LIMIT else 1)


if __name__ == "__main__":
    main()
