"""PointNet++ (single-scale grouping): a training step of ours beside one of PyG's example network.

    python benchmarks/cloud_models/pointnet2.py [--batch 8] [--points 2048] [--runs 3] [--turns 3] [--threads 1]

Both have the published widths on coordinates alone, the same weights, and 512 and 128 centres with 32 and 64 neighbours
within 0.2 and 0.4; patches are cut from procedural clouds. A step is forward, backward and AdamW. Ours takes the tables
that the reader made once and keeps freed memory (`shared_engine/memory.py`), as training does. The peer is written as
PyG's example `pointnet2_classification.py`: sampling and radius search in the loop, edge lists, `PointNetConv` with
PyG's own maximum. Its `fps` and `radius` want pyg-lib, which cannot be installed by name; in their place stand the same
loops compiled by numba, which take less time than Open3D's sampling, SciPy's tree or `pcqa.ops` (printed).

Beside it the peer with one or both of our advantages: `memory kept` as ours does, `indices given` without their cost.

A ball with too few points is filled up with its first one in our tables, and is short in the peer's edge lists. The
maximum does not see this, statistics of a training batch do. So outputs are compared in evaluation, each with its own
indices, and in training with the peer on our filled tables, gradients too: equal within 1e-5, in float64, since float32
alone leaves as much (printed).

Each side runs in processes of its own, which take turns; the best step counts, in CPU seconds. Exits with 1 where
results differ or ours is less than twice as fast as the example as it runs.
"""

import argparse
import json
import sys
import time

import numba
import numpy as np
import torch
from sides import measure, print_table, take_turns
from torch import nn

from pcqa.cloud import Cloud
from pcqa.models.graph_layers import MLP, neighbor_rows
from pcqa.models.grouping import group_points
from pcqa.models.pointnet2 import PointNet2
from pcqa.patches import make_patches
from rankqa_datasets.pristine_clouds import CLOUD_KINDS, pristine_cloud
from shared_engine.memory import keep_freed_memory

COUNTS, RADII, NEIGHBORS = (512, 128), (0.2, 0.4), (32, 64)
BOUND, LIMIT = 1e-5, 2.0
OURS, EXAMPLE = "ours", "PyG's example"
SIDES = (OURS, EXAMPLE, f"{EXAMPLE}, memory kept", f"{EXAMPLE}, memory kept, indices given")


@numba.njit(fastmath=True)
def sample_farthest(points, count):
    """(n, p, 3) -> (n, count) picks, starting at the first point."""
    picks = np.zeros((points.shape[0], count), np.int64)
    for cloud in range(points.shape[0]):
        nearest = np.full(points.shape[1], np.inf, np.float32)
        pick = 0
        for i in range(count):
            picks[cloud, i] = pick
            farthest = np.float32(-1)
            for j in range(points.shape[1]):
                dx = points[cloud, j, 0] - points[cloud, picks[cloud, i], 0]
                dy = points[cloud, j, 1] - points[cloud, picks[cloud, i], 1]
                dz = points[cloud, j, 2] - points[cloud, picks[cloud, i], 2]
                nearest[j] = min(nearest[j], dx * dx + dy * dy + dz * dz)
                if nearest[j] > farthest:
                    farthest, pick = nearest[j], j
    return picks


@numba.njit(fastmath=True)
def radius_edges(points, centers, radius, most):
    """Edges (2, e) from the first `most` points (of all clouds in a row) within the radius to each centre."""
    n, p, m = points.shape[0], points.shape[1], centers.shape[1]
    edges = np.empty((2, n * m * most), np.int64)
    found = 0
    for cloud in range(n):
        for i in range(m):
            begin = found
            for j in range(p):
                dx = points[cloud, j, 0] - centers[cloud, i, 0]
                dy = points[cloud, j, 1] - centers[cloud, i, 1]
                dz = points[cloud, j, 2] - centers[cloud, i, 2]
                if dx * dx + dy * dy + dz * dz < radius * radius:
                    edges[0, found], edges[1, found] = cloud * p + j, cloud * m + i
                    found += 1
                    if found - begin == most:
                        break
    return edges[:, :found]


def search(points):
    """Centres (rows of all points) and edges of both levels, as the peer finds them in its loop."""
    levels = []
    for count, radius, most in zip(COUNTS, RADII, NEIGHBORS, strict=True):
        picks = sample_farthest(points, count)
        centers = np.take_along_axis(points, picks[..., None], axis=1)
        edges = radius_edges(points, centers, np.float32(radius), most)
        rows = picks + np.arange(len(points))[:, None] * points.shape[1]
        levels.append((torch.from_numpy(rows.ravel()), torch.from_numpy(edges)))
        points = centers
    return levels


def filled(tables, num_points):
    """Our tables as the peer's centres and edges."""
    levels = []
    for level, size in enumerate((num_points, *COUNTS[:-1])):
        centers, neighbors = tables[f"centers_{level}"], tables[f"neighbors_{level}_0"]
        rows = centers + torch.arange(len(centers))[:, None] * size
        sources = neighbor_rows(neighbors, size)
        targets = torch.arange(len(sources)).repeat_interleave(sources.shape[1])
        levels.append((rows.flatten(), torch.stack([sources.flatten(), targets])))
    return levels


class Peer(nn.Module):
    """PyG's example network with one output."""

    def __init__(self):
        from torch_geometric.nn import PointNetConv

        super().__init__()
        locals_ = [MLP([3, 64, 64, 128], plain_last=False), MLP([128 + 3, 128, 128, 256], plain_last=False)]
        self.convs = nn.ModuleList(PointNetConv(network, add_self_loops=False) for network in locals_)
        self.global_level = MLP([256 + 3, 256, 512, 1024], plain_last=False)
        self.head = MLP([1024, 512, 256, 1], dropout=0.0)

    def forward(self, points, levels=None):
        n = len(points)
        levels = search(points.float().numpy()) if levels is None else levels
        features, points = None, points.flatten(0, 1)
        for conv, (centers, edges) in zip(self.convs, levels, strict=True):
            features = conv((features, None), (points, points[centers]), edges)
            points = points[centers]
        merged = self.global_level(torch.cat([features, points], dim=1))
        return self.head(merged.view(n, -1, merged.shape[1]).amax(dim=1)).squeeze(1)

    def load(self, ours):
        """Takes over the weights; ours divides offsets by the radius, so the first weights of a level are divided."""
        names = {"levels.0.conv.local_nn": "convs.0.local_nn", "levels.1.conv.local_nn": "convs.1.local_nn"}
        state = ours.state_dict()
        for old, new in names.items():
            state = {name.replace(old, new): value.clone() for name, value in state.items()}
        for level, radius in enumerate(RADII):
            state[f"convs.{level}.local_nn.lins.0.weight"][:, -3:] /= radius
        self.load_state_dict(state)


def make_batch(clouds, size):
    """One patch of each of some procedural clouds, in any order of points, as the reader gives them."""
    patches, rng = [], np.random.default_rng(0)
    for index in range(clouds):
        points, colors = pristine_cloud(list(CLOUD_KINDS)[index % len(CLOUD_KINDS)], 8 * size, index)
        patch = make_patches(Cloud(points, (colors / 255).astype(np.float32)), count=1, size=size, seed=0)
        patches.append(patch.points[:, rng.permutation(size)])
    return torch.from_numpy(np.concatenate(patches))


def make_networks(size, batch, dtype=torch.float32):
    """Both networks with the same weights, points, our batch and the peer's own indices."""
    points = make_batch(batch, size)
    torch.manual_seed(0)
    ours, peer = PointNet2(use_colors=False, patch_scale=False, dropout=0.0).to(dtype), Peer().to(dtype)
    peer.load(ours)  # in the type of both: weights divided by a radius in float32 would be others
    tables = group_points(points, ours.groupings)
    given = search(points.numpy())
    return ours, peer, points.to(dtype), tables, given


def make_step(side, size, batch):
    ours, peer, points, tables, given = make_networks(size, batch)
    model = ours if side == OURS else peer
    ours_batch = {"points": points[:, None]} | {name: table[:, None] for name, table in tables.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        if side == OURS:
            scores = ours(ours_batch)["scores"]
        else:
            scores = peer(points, given if "indices given" in side else None)
        scores.square().mean().backward()
        optimizer.step()

    return step


def largest_differences(size, batch, dtype):
    """Of outputs in evaluation, of outputs in training, and of gradients (over the largest of each weight)."""
    ours, peer, points, tables, given = make_networks(size, batch, dtype)
    ours_batch = {"points": points[:, None]} | {name: table[:, None] for name, table in tables.items()}
    scores, others = ours(ours_batch)["scores"], peer(points, filled(tables, size))
    training = (scores - others).abs().max().item()
    scores.square().mean().backward()
    others.square().mean().backward()
    # Matrices only: batch normalisation leaves rounding alone for biases before it. Offsets over the radius change the
    # scale of the first ones' columns, so the further layers are compared.
    pairs = [
        (theirs.lins[place].weight.grad, own.lins[place].weight.grad)
        for theirs, own in zip(
            [*(conv.local_nn for conv in peer.convs), peer.global_level, peer.head],
            [*(level.conv.local_nn for level in ours.levels), ours.global_level, ours.head],
            strict=True,
        )
        for place in (1, 2)
    ]
    gradients = max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)
    peer.load(ours)
    with torch.no_grad():
        evaluation = (ours.eval()(ours_batch)["scores"] - peer.eval()(points, given)).abs().max().item()
    return evaluation, training, gradients


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--points", type=int, default=2048)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only is not None:
        if args.only == OURS or "memory kept" in args.only:
            keep_freed_memory()
        print(json.dumps(measure(make_step(args.only, args.points, args.batch), args.runs)))
        return
    differences = {
        dtype: largest_differences(args.points, args.batch, dtype) for dtype in (torch.float64, torch.float32)
    }
    for dtype, (evaluation, training, gradients) in differences.items():
        print(f"{dtype}: outputs differ by {evaluation:.1e} evaluating, {training:.1e} training", end="; ")
        print(f"gradients by {gradients:.1e}")
    points, given = make_batch(args.batch, args.points), search(make_batch(args.batch, args.points).numpy())
    begin = time.process_time()
    search(points.numpy())
    middle = time.process_time()
    group_points(points, PointNet2().groupings)
    share = sum(edges.shape[1] for _, edges in given) / args.batch / sum(map(int.__mul__, COUNTS, NEIGHBORS))
    print(
        f"indices of a batch: {middle - begin:.3f} s CPU compiled, {time.process_time() - middle:.3f} s by pcqa.ops; "
        f"{share:.0%} of the places in our tables hold points of their own"
    )
    arguments = [f"--batch={args.batch}", f"--points={args.points}", f"--runs={args.runs}", f"--threads={args.threads}"]
    best = take_turns(__file__, arguments, SIDES, turns=args.turns, threads=args.threads)
    ratios = print_table(best, args.batch, ours=OURS)
    print(f"{EXAMPLE} / ours: {ratios[EXAMPLE]:.2f} (at least {LIMIT})")
    sys.exit(0 if max(differences[torch.float64]) <= BOUND and ratios[EXAMPLE] >= LIMIT else 1)


if __name__ == "__main__":
    main()
