"""Full-reference image metrics: ours beside piq, on the same images in one run.

Run: python benchmarks/metrics/image_metrics.py [--images FOLDER] [--batch B] [--threads T] [--runs R] [--device cuda]

Each of ours and piq's runs takes place in a process of its own, so that the peak memory (above what was held before the
first call) is its own; the two take turns for each metric. Time is the median and, in brackets, the best of the runs,
after one to warm up; "step" is a forward and a backward pass. Images are the first B of the folder with noise, or
without a folder smooth random images of 512 x 768 pixels.
"""

import argparse
import functools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

METRICS = ("psnr", "ssim", "ms-ssim", "gmsd", "vifp", "fsim", "fsimc", "mdsi", "vsi")


def piq_functions():
    from shared_engine.timm_import import import_timm

    import_timm()  # repairs a CPU torch beside a CUDA torchvision, which piq imports
    import piq

    return {
        "psnr": piq.psnr,
        "ssim": piq.ssim,
        "ms-ssim": piq.multi_scale_ssim,
        "gmsd": piq.gmsd,
        "vifp": piq.vif_p,
        "fsim": lambda x, y, reduction: piq.fsim(x, y, reduction=reduction, chromatic=False),
        "fsimc": piq.fsim,
        "mdsi": piq.mdsi,
        "vsi": piq.vsi,
    }


def load_pair(options):
    import numpy as np
    import torch

    from imgqa.decode import decode_image

    generator = torch.Generator().manual_seed(0)
    if options.images:
        files = sorted(Path(options.images).iterdir())
        arrays = [decode_image(file) for file in files if file.suffix.lower() in (".png", ".jpg", ".bmp")]
        arrays = [array for array in arrays if array.shape == arrays[0].shape][: options.batch]
        reference = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float().div(255).contiguous()
    else:
        coarse = torch.rand(options.batch, 3, 32, 48, generator=generator)
        reference = torch.nn.functional.interpolate(coarse, size=(512, 768), mode="bicubic").clamp(0, 1)
    noise = 0.05 * torch.randn(reference.shape, generator=generator)
    return (reference + noise).clamp(0, 1).to(options.device), reference.to(options.device)


def measure(options):
    import torch

    torch.set_num_threads(options.threads)
    whose, name = options.only.split(":")
    if whose == "piq":
        forward = functools.partial(piq_functions()[name], reduction="none")
    else:
        from imgqa.metrics.table import METRICS as TABLE

        forward = TABLE[name].function
    image, reference = load_pair(options)

    def step():
        leaf = image.clone().requires_grad_()
        forward(leaf, reference).sum().backward()
        assert leaf.grad is not None
        return leaf.grad

    with torch.no_grad():
        # Warms up, so that the memory of the libraries themselves is not counted.
        forward(image[:1, :, :200, :200], reference[:1, :, :200, :200])
    before = peak_memory(options)
    with torch.no_grad():
        forward_times, values = timed(lambda: forward(image, reference), options)
    forward_peak = peak_memory(options) - before
    step_times, gradient = timed(step, options)
    return {
        "forward": forward_times,
        "forward_peak": forward_peak,
        "step": step_times,
        "step_peak": peak_memory(options) - before,
        "values": values.tolist(),
        "finite": bool(torch.isfinite(gradient).all()),
        "shape": list(image.shape),
    }


def timed(function, options):
    import torch

    result, seconds = function(), []
    for _ in range(options.runs):
        start = time.perf_counter()
        result = function()
        if options.device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return {"median": statistics.median(seconds), "best": min(seconds)}, result


def peak_memory(options) -> float:
    """In MB; of a GPU since the start, of a CPU the process's largest resident set."""
    if options.device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(whose, name):
    command = [sys.executable, __file__, *sys.argv[1:], "--only", f"{whose}:{name}"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", help="folder of images of one size")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options)))
        return
    load = f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(
        f"batch {options.batch}, {options.device}, {options.threads} threads{load}; ms and MB, piq / ours", flush=True
    )
    for name in METRICS:
        ours, piq = in_own_process("ours", name), in_own_process("piq", name)
        difference = max(abs(a - b) for a, b in zip(ours["values"], piq["values"], strict=True))
        cells = []
        for kind in ("forward", "step"):
            times = [f"{1e3 * r[kind]['median']:.0f} ({1e3 * r[kind]['best']:.0f})" for r in (piq, ours)]
            ratio = piq[kind]["median"] / ours[kind]["median"]
            memory = f"{piq[kind + '_peak']:.0f} / {ours[kind + '_peak']:.0f} MB"
            cells.append(f"{kind} {times[0]} / {times[1]} ms = {ratio:.2f}, {memory}")
        nan = "" if piq["finite"] else "; piq's gradient is not finite"
        nan += "" if ours["finite"] else "; OUR gradient is not finite"
        print(f"{name:8} {'; '.join(cells)}; values differ by {difference:.1e}{nan}", flush=True)


if __name__ == "__main__":
    main()
