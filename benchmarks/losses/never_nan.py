"""No loss ever returns a NaN: random degenerate batches for every loss of the package.

Claim: whatever batch of finite numbers a loss of `shared_losses.LOSSES` gets, it either refuses it with a ValueError or
TypeError that has a message, or returns a finite value with a graph and finite gradients, for the scores and for every
other input that a model gives. The batches hold one row and more, ties, constants, outliers, scales 1e-30 to 1e30,
float16 to float64 (unlike types in one call too), banks that are missing, empty, constant, far off or large, targets'
deviations that are NaN, 0 or huge, distributions with all weight on one level, embeddings of zeros, and each loss's
options. A few batches hold a NaN or an infinity, and must be refused.

Bound: no exception to that. Losses that are refused for over half of their batches fail too: then nothing was tried.

    python benchmarks/losses/never_nan.py [--batches 100000] [--plot docs/figures/loss-never-nan.svg]
"""

import argparse
import inspect
import sys
import warnings
from collections import Counter

import torch

from shared_losses import LOSSES
from shared_losses.row_inputs import ROW_INPUTS

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
COUNTS = (1, 1, 2, 2, 3, 4, 7, 8, 16, 16, 16, 33)
BANKS = (None, None, 0, 1, 2, 15, 200)
# By option, for all losses that have it; what a loss does not take it refuses, and options not named keep their
# default. Fewer good values than others would not be random enough, fewer extreme ones not degenerate enough.
OPTIONS = {
    "kernel": ("box", "triangle", "laplace", "logistic", "normal"),
    "window": (0.1, 1e-9, 0.5, 1.0),
    "tau": (None, None, None, 1e-30, 1e-3, 1.0, 1e30),
    "nearest": (None, None, None, 1, 5),
    "target_ranks": ("mid", "mid", "expected"),
    "path": ("auto", "auto", "dense"),
    "rows": ("all", "batch"),
    "rescale": (True, False),
    "detach": (True, False),
    "exponent": (True, False),
    "margin": (True, False),
    "standardize": (True, False),
    "weight_by_gap": (True, False),
    "exact_target_ranks": (True, False),
    "regularization": ("l2", "kl"),
    "strength": (None, None, 1e-30, 1.0, 1e30),
    "gaps": (0.5, 1e-6, 1e3),
    "interpolation": (10.0, 1e-6, 1e6),
    "unit": ("deviation", "score"),
    "p": (1.0, 2.0, 0.5, 7.0, float("inf")),
    "q": (2.0, 1.0, 3.0, float("inf")),
    "r": (2.0, 1.0, 5.0),
    "tau_share": (0.5, 1e-6, 10.0),
    "pairs": ("batch", "all"),
    "sigma": (1.0, 1e-6, 1e6),
    "std_weight": (0.0, 1.0),
    "score_temperature": (1.0, 1e-3, 1e3),
    "target_temperature": (1.0, 1e-3, 1e3),
    "temperature": (0.1, 1e-3, 10.0),
    "inner_weight": (1.0, 0.0),
    "beta": (1.0, 1e-6, 1e3),
    "gamma": (1.0, 0.0),
    "threshold": (1.0, 1e-6, 1e3),
    "location": (None, 0.0, 50.0),
    "scale": (None, 1.0, 1e-6, 1e6),
    "minimum_std": (1e-3, 1e-12, 1.0),
    "default_std": (0.5, 0.5, 0.5, None),
    "low": (1.0, 0.0),
}
# The same name, other choices.
OWN_OPTIONS = {
    ("spearman", "normalizer"): ("soft", "constant"),
    ("normalized_error", "normalizer"): ("z_score", "min_max", "mean", "scaling"),
    ("pairwise_hinge", "form"): ("linearity", "pyiqa", "mm_pcqa"),
    ("fidelity", "form"): ("unique", "liqe"),
    ("norm_in_norm", "alpha"): ((1.0, 0.0), (0.0, 1.0), (1.0, 0.1)),
    ("normalized_error", "alpha"): ((1.0, 0.0), (0.0, 1.0), (1.0, 0.1)),
    ("gcc", "location"): (0.0, 50.0),
    ("gcc", "scale"): (1.0, 1e-6, 1e6),
    ("relative_ranking", "scale"): (1.0, 1e-6, 1e6),
}


class Chooser:
    """Random choices from one generator of torch."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def one_of(self, choices):
        return choices[int(torch.randint(len(choices), (1,), generator=self.generator))]

    def uniform(self):
        return torch.rand(1, generator=self.generator).item()

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64)


def as_type(values, dtype):
    limit = torch.finfo(dtype).max
    return values.clamp(-limit, limit).to(dtype)


def degenerate(chooser, count, dtype):
    """A vector with ties, constants, outliers or extreme scales, finite in `dtype`."""
    values = chooser.normal(count)
    kind = chooser.one_of(("plain", "plain", "tied", "two", "constant", "zero", "outlier", "huge", "steps", "far"))
    if kind == "tied":
        values = values.round()
    elif kind == "two":
        values = values.sign()
    elif kind == "constant":
        values = values * 0 + chooser.one_of((0.3, -7.0, 1e4))
    elif kind == "zero":
        values = values * chooser.one_of((0.0, -0.0))
    elif kind == "outlier":
        values[0] = chooser.one_of((1e6, -1e30))
    elif kind == "huge":
        values = values * torch.finfo(dtype).max  # clamped to it
        values = values.clamp(-1e99, 1e99)
    elif kind == "steps":  # neighbours in the type
        values = 1 + torch.arange(count, dtype=torch.float64) * torch.finfo(dtype).eps
    elif kind == "far":
        values = values * 1e-3 + 1000
    if kind not in ("huge", "steps"):
        values = values * chooser.one_of((1.0, 1.0, 1.0, 1e-30, 1e-8, 1e8, 1e30))
    return as_type(values, dtype)


def deviations(chooser, count, dtype):
    """Standard deviations, some unknown (NaN), zero, tiny or huge."""
    values = chooser.normal(count).abs() * chooser.one_of((1.0, 1.0, 1e-30, 1e30))
    kind = chooser.one_of(("plain", "some unknown", "all unknown", "zero"))
    if kind == "some unknown":
        values[chooser.normal(count) > 0] = torch.nan
    elif kind == "all unknown":
        values = values * torch.nan
    elif kind == "zero":
        values = values * 0
    return as_type(values, dtype)


def distributions(chooser, count, levels, dtype):
    kind = chooser.one_of(("soft", "one-hot", "even"))
    weights = (chooser.normal(count, levels) * chooser.one_of((1, 30))).softmax(1)
    if kind == "one-hot":
        weights = torch.eye(levels, dtype=torch.float64)[weights.argmax(1)]
    elif kind == "even":
        weights = torch.full_like(weights, 1 / levels)
    return weights.to(dtype)


def extra_input(chooser, name, example, count, dtype):
    """What a loss takes with the rows beyond scores and targets."""
    if name == "target_std":
        return deviations(chooser, count, dtype)
    if name == "score_std":  # a model gives a positive number, if a very small one
        low = max(1e-30, torch.finfo(dtype).tiny)
        return as_type(chooser.normal(count).abs().mul(chooser.one_of((1.0, 1e-8, 1e8))).clamp(min=low), dtype)
    if name.endswith("distribution"):
        return distributions(chooser, count, example.shape[1], dtype)
    if name == "classes":
        return (chooser.normal(count) * chooser.one_of((0, 1))).round().clamp(-1, int(example.max())).long()
    values = chooser.normal(count, *example.shape[1:]) * chooser.one_of((1.0, 1.0, 0.0, 1e-30, 1e30))
    return as_type(values, dtype)


def random_call(chooser, name):
    """Arguments for the loss `name`, and whether they hold a number that must be refused."""
    parameters = inspect.signature(LOSSES[name]).parameters
    # ASNA's ranker takes 16 rows, and must refuse others.
    count = chooser.one_of(COUNTS) if name != "asna" or chooser.uniform() < 0.2 else 16
    dtype = chooser.one_of(DTYPES)
    other = dtype if chooser.uniform() < 0.5 else chooser.one_of(DTYPES)
    arguments = {"scores": degenerate(chooser, count, dtype), "targets": degenerate(chooser, count, other)}
    bank = chooser.one_of(BANKS)
    if bank is not None:
        arguments["bank_scores"] = degenerate(chooser, bank, dtype) if bank else torch.zeros(0)
        arguments["bank_targets"] = degenerate(chooser, bank, other) if bank else torch.zeros(0)
    options = {}
    for key in parameters:
        choices = OWN_OPTIONS.get((name, key), OPTIONS.get(key))
        if key not in ROW_INPUTS and choices and chooser.uniform() < 0.6:
            options[key] = chooser.one_of(choices)
    for key, example in ROW_INPUTS.items():
        if key not in parameters or key in arguments or example is None:
            continue
        optional = parameters[key].default is None and key in ("target_std", "target_distribution", "score_std")
        if optional and options.get("target_ranks") != "expected" and chooser.uniform() < 0.2:
            continue
        arguments[key] = extra_input(chooser, key, example, count, dtype)
    if bank is not None:
        for key, of in (("bank_target_std", "target_std"), ("bank_score_std", "score_std")):
            if key in parameters and of in arguments:
                arguments[key] = extra_input(chooser, of, None, bank, dtype)
    if options.get("nearest") and options.get("tau"):
        del options["tau"]
    poisoned = chooser.uniform() < 0.02
    if poisoned:
        key = chooser.one_of([key for key in ("scores", "targets", "bank_scores", "bank_targets") if key in arguments])
        poisoned = bool(arguments[key].numel())
        arguments[key][-1:] = chooser.one_of((torch.nan, torch.inf, -torch.inf))
    return arguments, options, poisoned


def outcome(name, arguments, options, poisoned):
    """ "finite" or "refused" if all is well, else what is wrong."""
    model_outputs = [
        key
        for key in arguments
        if key in ("scores", "score_std") or key.endswith(("_embeddings", "_predictions", "_logits"))
    ]
    model_outputs += [key for key in arguments if key == "score_distribution"]
    for key in model_outputs:
        arguments[key].requires_grad_()
    try:
        value = LOSSES[name](**arguments, **options)
    except (ValueError, TypeError) as error:
        return "refused" if len(str(error)) > 10 else "an error without a message"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if poisoned:
        return "a NaN or infinity was accepted"
    if value.ndim or not value.isfinite():
        return f"the value is {value.tolist()}"
    if not value.requires_grad:
        return "the value has no graph"
    try:
        value.backward()
    except Exception as error:
        return f"backward: {type(error).__name__}: {error}"
    for key in model_outputs:
        gradient = arguments[key].grad
        if key == "scores" and gradient is None:
            return "the scores have no gradient"
        if gradient is not None and not gradient.isfinite().all():
            return f"the gradient of {key} is not finite"
    return "finite"


def show(name, arguments, options, what):
    rows = ", ".join(f"{key} {str(value.dtype)[6:]} {tuple(value.shape)}" for key, value in arguments.items())
    return f"{name}: {what}; {rows}; {options}"


def count_outcomes(batches, seed=0):
    """Outcomes of each loss, and a description of the first failure of each kind."""
    chooser = Chooser(seed)
    counts = {name: Counter() for name in LOSSES}
    failures = {}
    names = list(LOSSES)
    for index in range(batches):
        name = names[index % len(names)]
        arguments, options, poisoned = random_call(chooser, name)
        what = outcome(name, arguments, options, poisoned)
        counts[name][what if what in ("finite", "refused") else "failed"] += 1
        if what not in ("finite", "refused"):
            failures.setdefault((name, what[:60]), f"batch {index}: {show(name, arguments, options, what)}")
    return counts, failures


def plot(path, counts):
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "rankqa", "font.size": 8})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    left = [0] * len(counts)
    for what, colour in (("finite", "tab:blue"), ("refused", "0.8"), ("failed", "tab:red")):
        width = [found[what] for found in counts.values()]
        axes.barh(list(counts), width, left=left, color=colour, label=what, height=0.7)
        left = [a + b for a, b in zip(left, width, strict=True)]
    axes.invert_yaxis()
    axes.set(xlabel="degenerate batches")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", metavar="FILE")
    args = parser.parse_args()
    warnings.simplefilter("error")
    counts, failures = count_outcomes(args.batches, args.seed)
    print("| loss | finite | refused | failed |\n|---|---|---|---|")
    for name, found in counts.items():
        print(f"| {name} | {found['finite']} | {found['refused']} | {found['failed']} |")
    total = sum(counts.values(), Counter())
    print(f"| all {len(counts)} | {total['finite']} | {total['refused']} | {total['failed']} |")
    if args.plot:
        plot(args.plot, counts)
    lines = list(failures.values())
    lines += [f"{name}: refused too often" for name, found in counts.items() if found["refused"] > found["finite"]]
    if lines:
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
