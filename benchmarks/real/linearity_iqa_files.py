"""The evaluation code on the prediction files that the authors of LinearityIQA published.

    python benchmarks/real/linearity_iqa_files.py FOLDER

FOLDER is `results_in_the_paper` of github.com/lidq92/LinearityIQA (its licence is unclear: look, do not copy). It has
predictions of a ResNeXt-101 trained on KonIQ-10k with three losses, on KonIQ's test part and on all of LIVE
Challenge (CLIVE), already on the scale of the targets. Prints SROCC, PLCC and RMSE as in the paper, and PLCC after
each form of mapping; compares them with the values that independent code found, to three decimals (CLIVE, RMSE: two).
Without the folder it says so and exits with 0.
"""

import argparse
import pickle  # noqa: TID251 -- through Numbers below, which builds arrays and nothing else
import sys
from pathlib import Path

import numpy as np

from shared_engine.criteria import compute_criteria, plcc
from shared_engine.score_mapping import Mapping, fit_mapping

FORMS = ("cubic", "logistic4", "logistic5")
# SROCC, PLCC, RMSE, and PLCC after cubic, logistic4 and logistic5 (best of several starts).
FOUND = {
    ("KonIQ-10k", "MAE"): (0.902, 0.919, 6.105, 0.9228, 0.9227, 0.9232),
    ("KonIQ-10k", "MSE"): (0.903, 0.923, 5.955, 0.9229, 0.9229, 0.9245),
    ("KonIQ-10k", "Norm-in-Norm"): (0.937, 0.947, 5.042, 0.9467, 0.9467, 0.9467),
    ("CLIVE", "MAE"): (0.766, 0.769, 16.42, 0.8000, 0.8028, 0.8029),
    ("CLIVE", "MSE"): (0.789, 0.808, 14.71, 0.8131, 0.8138, 0.8154),
    ("CLIVE", "Norm-in-Norm"): (0.834, 0.849, 14.94, 0.8531, 0.8530, 0.8531),
}
IDENTITY = Mapping("linear", (1.0, 0.0), 0.0, 1.0)

PARTS_OF_ARRAYS = {("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numpy", "ndarray"), ("numpy", "dtype")}


class Numbers(pickle.Unpickler):
    """The files are pickled dictionaries of two arrays: nothing but the parts of arrays is let in."""

    def find_class(self, module, name):
        if module.split(".")[0] != "numpy" or (module.split(".")[-1], name) not in PARTS_OF_ARRAYS:
            raise pickle.UnpicklingError(f"the file names {module}.{name}, which is not a part of an array")
        # Files written by NumPy 1 name the module by its old path.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read(file):
    with file.open("rb") as opened:
        np.lib.format.read_magic(opened)
        np.lib.format.read_array_header_1_0(opened)
        table = Numbers(opened).load().item()
    return (np.asarray(table[key], np.float64).ravel() for key in ("pq", "sq"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder / "npy"
    if not folder.is_dir():
        print(f"skipped: {folder} is not there; it is part of github.com/lidq92/LinearityIQA")
        return
    missed = 0
    print("| predictions | SROCC | PLCC | RMSE | " + " | ".join(f"PLCC, {form}" for form in FORMS) + " | equal |")
    print("|---|---|---|---|---|---|---|---|")
    for (database, loss), expected in FOUND.items():
        scores, targets = read(folder / f"{database}-{loss}.npy")
        criteria = compute_criteria(scores, targets, mapping=IDENTITY)
        mapped = [plcc(fit_mapping(scores, targets, form)(scores), targets) for form in FORMS]
        values = [criteria.srocc, criteria.plcc, criteria.rmse, *mapped]
        tolerances = [0.0005, 0.0005, 0.005 if database == "CLIVE" else 0.0005, *(0.0005 for _ in FORMS)]
        # Half a unit of the digits that were noted, and the rounding of the decimal numbers themselves.
        equal = [abs(v - e) <= t + 1e-9 for v, e, t in zip(values, expected, tolerances, strict=True)]
        missed += equal.count(False)
        shown = " | ".join(f"{v:.3f}" if i == 2 else f"{v:.4f}" for i, v in enumerate(values))
        print(f"| {database}, {loss} | {shown} | {equal.count(True)} of {len(equal)} |")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
