"""How much better one setting is than another, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from shared_engine.paired_resampling import PairedScores, bootstrap_differences
from shared_engine.report.evidence import Outcome
from shared_engine.resampled_t_test import resampled_t_test
from shared_engine.run_folder import RunFolder, read_csv

CONTENTS = "contents"


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty.

    Attributes:
        mean: of the differences, or of the values.
        error: standard error; None where nothing tells.
        freedom: degrees of freedom of Student's t.
        n: how many differences or values stand behind it.
        unit: what they are of: seeds, splits, settings, contents, or groups.
    """

    mean: float
    error: float | None
    freedom: float
    n: int
    unit: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """At 95 %."""
        if self.error is None:
            return None
        half = _quantile(self.freedom) * self.error
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float | None:
        """Two-sided, for a mean of 0."""
        if self.error is None:
            return None
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        t = -abs(self.mean) / self.error
        return float(2 * (special.ndtr(t) if math.isinf(self.freedom) else special.stdtr(self.freedom, t)))


def _quantile(freedom: float) -> float:
    return float(special.ndtri(0.975) if math.isinf(freedom) else special.stdtrit(freedom, 0.975))


Block = tuple[tuple[str, ...], str, str]
"""What a run shares with those it is paired with: other settings, split, seed."""


def block_of(outcome: Outcome, axis: str | None) -> Block:
    """The block of an outcome where the values of `axis` are compared."""
    others = tuple(value for name, value in outcome.settings.items() if name != axis)
    return others, outcome.split, outcome.seed


def estimate(values: Mapping[Block, float], *, test_to_train: float) -> Estimate:
    """Mean over blocks with its standard error over repetitions.

    Repetitions are splits where there are several, else seeds: blocks of one repetition are averaged first, since
    they share stimuli or random numbers, and other settings are part of the question and not a sample. With one
    repetition the other settings stand in for it. The error over splits is that of Nadeau and Bengio.

    Args:
        values: of each block, at least one.
        test_to_train: n_test / n_train of the splits.
    """
    mean = math.fsum(values.values()) / len(values)
    for unit, part in (("splits", 1), ("seeds", 2), ("settings", 0)):
        repetitions: dict[object, list[float]] = {}
        for block, value in values.items():
            repetitions.setdefault(block[part], []).append(value)
        if len(repetitions) > 1:
            means = [math.fsum(own) / len(own) for own in repetitions.values()]
            test = resampled_t_test(means, test_to_train=test_to_train if unit == "splits" else 0.0)
            error = (test.high - test.low) / 2 / _quantile(float(test.runs - 1))
            # Where differences are equal but for rounding there is no spread.
            return Estimate(mean, 0.0 if error < 1e-12 else error, float(test.runs - 1), test.runs, unit)
    return Estimate(mean, None, 0.0, 1, "runs")


def estimate_on_contents(a: Outcome, b: Outcome) -> Estimate | None:
    """The difference of SROCC of two single runs, with a standard error from resampling of the test contents.

    It says nothing about other seeds. None where the runs were not tested on the same stimuli.
    """
    rows_a, rows_b = ({row["id"]: row for row in run.predictions} for run in (a, b))
    if rows_a.keys() != rows_b.keys() or len(rows_a) < 2:
        return None
    names = list(rows_a)
    labels, group_of = np.unique([rows_a[name].get("content") or name for name in names], return_inverse=True)
    if len(labels) == 1:
        labels, group_of = np.array(names), np.arange(len(names))
    pair = PairedScores(
        a=np.array([float(rows_a[name]["score"]) for name in names]),
        b=np.array([float(rows_b[name]["score"]) for name in names]),
        targets=np.array([float(rows_a[name]["target"]) for name in names]),
        group_of=group_of.astype(np.intp),
        groups=len(labels),
    )
    if min(np.ptp(pair.a), np.ptp(pair.b), np.ptp(pair.targets)) == 0:
        return None
    resampled = bootstrap_differences([pair])["srocc"]
    known = resampled[np.isfinite(resampled)]
    error = float(known.std(ddof=1)) if len(known) >= 100 else None
    mean = float(a.summary["srocc"]) - float(b.summary["srocc"])
    return Estimate(mean, error, math.inf, len(labels), CONTENTS)


def pool(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over groups, each with the same weight; Welch and Satterthwaite's degrees of freedom.

    It is about these groups: that other databases could behave otherwise is not in its error.
    """
    count = len(estimates)
    mean = math.fsum(one.mean for one in estimates) / count
    errors = [one.error for one in estimates if one.error is not None]
    n = sum(one.n for one in estimates)
    units = " and ".join(dict.fromkeys(one.unit for one in estimates))
    if len(errors) < count:
        return Estimate(mean, None, 0.0, n, units)
    total = math.fsum(error**2 for error in errors)
    spread = math.fsum(one.error**4 / one.freedom for one in estimates if one.error and math.isfinite(one.freedom))
    return Estimate(mean, math.sqrt(total) / count, total**2 / spread if spread > 0 else math.inf, n, units)


def split_ratio(outcomes: Sequence[Outcome]) -> float:
    """n_test / n_train of the first run, by its split file or else by the shares of its configuration."""
    path = RunFolder(outcomes[0].folder).split
    if path.is_file():
        parts = [row.get("split") for row in read_csv(path)]
        if parts.count("train"):
            return parts.count("test") / parts.count("train")
    share = float(outcomes[0].config.get("data", {}).get("test_share", 0.2))
    return share / (1 - share)
