"""Six 512 x 512 views of 800,000 coloured points: our z-buffer beside Open3D's OffscreenRenderer.

Run: python benchmarks/projection/projection_speed.py
    [--points N] [--size S] [--splat K] [--threads T] [--runs R] [--device cpu|cuda]

Each renderer runs in its own process, so that the peak memory is its own. Both draw the same points (the surface of a
bumpy torus, rows in random order) in squares of the same size. Ours includes fitting the frame, Open3D's handing the
points over. Processor time is printed beside wall time: on a busy machine it is the steadier of the two. Open3D needs
libgl1, libgomp1, libusb-1.0-0, and for a machine without GPU mesa-vulkan-drivers.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

# As the command line does, before torch is imported: spinning threads starve each other on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def torus_cloud(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    u, v = generator.uniform(0, 2 * np.pi, (2, count))
    tube = 0.4 + 0.02 * np.sin(9 * u) * np.cos(7 * v)
    ring = 1 + tube * np.cos(v)
    points = np.stack([ring * np.cos(u), tube * np.sin(v), ring * np.sin(u)], axis=1)
    colors = 0.5 + 0.5 * np.stack([np.sin(5 * u), np.cos(4 * v), np.sin(u + v)], axis=1)
    return points.astype(np.float32), colors.astype(np.float32)


def timed(function, runs):
    """Wall and processor seconds of each run, one more before them to warm up; and the last result."""
    result = function()
    wall, processor = [], []
    for _ in range(runs):
        starts = time.perf_counter(), time.process_time()
        result = function()
        wall.append(time.perf_counter() - starts[0])
        processor.append(time.process_time() - starts[1])
    return {"median": statistics.median(wall), "best": min(wall), "processor": min(processor)}, result


def measure_ours(options):
    import torch

    from pcqa.projection import project

    torch.set_num_threads(options.threads)
    points, colors = (torch.from_numpy(array).to(options.device) for array in torus_cloud(options.points))
    before = peak_memory()

    def draw():
        views = project(points, colors, size=options.size, splat=options.splat)
        if options.device == "cuda":
            torch.cuda.synchronize()
        return views

    times, views = timed(draw, options.runs)
    return {"times": times, "covered": float(views.mask.float().mean()), "before": before, "peak": peak_memory()}


def measure_open3d(options):
    import open3d

    from pcqa.views import axis_views

    rendering = open3d.visualization.rendering
    points, colors = torus_cloud(options.points)
    before = peak_memory()
    renderer = rendering.OffscreenRenderer(options.size, options.size)
    renderer.scene.set_background([1.0, 1.0, 1.0, 1.0])
    # Tone mapping and dithering would change the colours and take time.
    renderer.scene.view.set_post_processing(False)
    material = rendering.MaterialRecord()
    material.shader = "defaultUnlit"
    material.point_size = options.splat
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(points.astype(np.float64)))
    cloud.colors = open3d.utility.Vector3dVector(colors.astype(np.float64))

    def draw():
        renderer.scene.clear_geometry()
        renderer.scene.add_geometry("cloud", cloud, material)
        images = []
        for _, up, towards in axis_views().numpy():
            renderer.setup_camera(40.0, np.zeros(3, np.float32), 4 * towards, up)
            images.append(np.asarray(renderer.render_to_image()))
        return np.stack(images)

    times, images = timed(draw, options.runs)
    covered = (images != 255).any(axis=3).mean()
    return {"times": times, "covered": float(covered), "before": before, "peak": peak_memory()}


def peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(name):
    result = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--only", name], stdout=subprocess.PIPE, text=True
    )
    lines = result.stdout.splitlines()
    return json.loads(lines[-1]) if result.returncode == 0 and lines else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=800_000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--splat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where ours draws")
    parser.add_argument("--only", choices=["ours", "open3d"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    measures = {"ours": measure_ours, "open3d": measure_open3d}
    if options.only:
        print(json.dumps(measures[options.only](options)))
        return
    print(
        f"six {options.size} x {options.size} views of {options.points:,} points, splat {options.splat}, "
        f"{options.threads} torch threads on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    results = {}
    for name in measures:
        result = in_own_process(name)
        if result is None:
            print(f"{name:8} could not run (Open3D: are the Debian packages of this file's docstring installed?)")
            continue
        results[name] = result
        times = result["times"]
        print(
            f"{name:8} median {times['median']:.3f} s, best {times['best']:.3f} s, "
            f"processor {times['processor']:.3f} s, {6 / times['median']:.0f} views/s; "
            f"peak memory {result['peak']:.0f} MB, "
            f"{result['before']:.0f} MB before the first view; {100 * result['covered']:.0f} % of the pixels covered",
            flush=True,
        )
    if len(results) == len(measures):
        wall, processor = (
            results["open3d"]["times"][key] / results["ours"]["times"][key] for key in ("median", "processor")
        )
        print(f"open3d / ours: {wall:.2f} wall, {processor:.2f} processor")


if __name__ == "__main__":
    main()
