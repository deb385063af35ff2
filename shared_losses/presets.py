"""Objectives of published methods, named after them: what each paper or program trains with."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shared_losses.objective import Term


@dataclass(frozen=True)
class Preset:
    """Terms of an `Objective`, and the bank they were published with.

    Squared and absolute errors are of standardised targets here, where most programs use MOS as it comes.

    Attributes:
        terms: The weighted losses.
        bank: "table" for one slot a training item, "fifo" for the latest `capacity` rows; None without a bank.
        capacity: Rows of a fifo.
    """

    terms: tuple[Term, ...]
    bank: Literal["table", "fifo"] | None = None
    capacity: int | None = None


def rankqa() -> Preset:
    """Ours: box-kernel SROCC over batch and whole training set, and a squared error that fixes the scale."""
    return Preset((Term("spearman", use_bank=True), Term("mse", 0.1)), "table")


def seed000_logistic() -> Preset:
    """RECONSTRUCTION of arXiv 2501.15485: pairwise sigmoid ranks of batch and fifo, over all rows, beside the MSE.

    Liu, Yang and Xu, "Differentiable Low-computation Global Correlation Loss for Monotonicity Evaluation in Quality
    Assessment". Published: SROCC itself made differentiable, a memory bank of gradient-free earlier predictions. Not
    available, so ours: the kernel, its bandwidth, the rows summed, the bank's size (1,024) and order, the weight of the
    MSE. Do not expect its tables.
    """
    return _reconstruction("logistic", "all")


def seed000_logistic_batch() -> Preset:
    """RECONSTRUCTION of arXiv 2501.15485: `seed000_logistic` summed over batch rows alone, as GMC-IQA sums."""
    return _reconstruction("logistic", "batch")


def seed000_normal() -> Preset:
    """RECONSTRUCTION of arXiv 2501.15485: `seed000_logistic` with the error function of GMC-IQA as its kernel."""
    return _reconstruction("normal", "all")


def seed000_normal_batch() -> Preset:
    """RECONSTRUCTION of arXiv 2501.15485: `seed000_normal` summed over batch rows alone, as GMC-IQA sums."""
    return _reconstruction("normal", "batch")


def gmc_iqa() -> Preset:
    """GMC-IQA (arXiv 2401.10511): GCC loss, alpha = beta = 0.5, gamma = 1, fifo of 800 rows.

    Published in the paper: the terms. Recovered from the authors' compiled PromptIQA module: formula, weights and the
    length of the queue, which its trainer may override by a share of the training set that is not known.
    """
    return Preset((Term("gcc", use_bank=True),), "fifo", 800)


def linearity_iqa() -> Preset:
    """LinearityIQA (arXiv 2008.03889): Norm-in-Norm with p = 1, q = 2 and alpha = (1, 0), its program's default.

    All of it is published. The paper's variant is alpha = (1, 0.1); the three heads with weights 0.1, 0.1 and 1 belong
    to the model.
    """
    return Preset((Term("norm_in_norm", options={"p": 1.0, "q": 2.0, "alpha": (1.0, 0.0)}),))


def asna() -> Preset:
    """ASNA (arXiv 2105.02531): MSE and 0.01 times the trained ranker's error, for batches of 16.

    Published: the formula and both weights (lambda = 1, mu = 0.01). The ranker's weights are ours, trained on the
    published kind of synthetic sequences.
    """
    return Preset((Term("asna"),))


def unique() -> Preset:
    """UNIQUE (2021): fidelity of Thurstone's case III and the hinge on predicted spreads, both with weight 1.

    Published: the terms and weights. Ours: all pairs of a batch in place of drawn pairs. Needs a model that gives
    `score_std` and targets with `target_std`.
    """
    return Preset((Term("fidelity", options={"form": "unique", "std_weight": 1.0}),))


def liqe() -> Preset:
    """LIQE (2023): fidelity of Thurstone's case V over the pairs of a batch.

    Published: this term. Its fidelity terms for scene and distortion belong to the model.
    """
    return Preset((Term("fidelity", options={"form": "liqe"}),))


def tres() -> Preset:
    """TReS (WACV 2022): absolute error and 0.05 times the relative-ranking triplets.

    Published: both terms and the weight. Its consistency under flips belongs to the model.
    """
    return Preset((Term("mae"), Term("relative_ranking", 0.05)))


def mm_pcqa() -> Preset:
    """MM-PCQA and GMS-3DQA (2023): MSE and the hinge on pairs less than one MOS unit apart, both with weight 1.

    Published: terms, weights and threshold. There both work on MOS as it comes; here scores are standardised, and the
    hinge weighs less against the MSE by the standard deviation of the MOS.
    """
    return Preset((Term("mse"), Term("pairwise_hinge", options={"form": "mm_pcqa"})))


def pyiqa_plcc() -> Preset:
    """MSE and (1 - PLCC) / 2, as IQA-PyTorch's training files for CLIP-IQA pair them with weight 1 each."""
    return Preset((Term("mse"), Term("plcc", 0.5)))


def deiqt() -> Preset:
    """DEIQT (AAAI 2023): smooth L1 alone."""
    return Preset((Term("smooth_l1"),))


def nima() -> Preset:
    """NIMA (2018): squared earth mover's distance of opinion distributions, r = 2.

    Published: the loss. Needs a model that gives `score_distribution`; without `target_distribution` the opinions are
    taken as normal, which is ours.
    """
    return Preset((Term("emd"),))


def clip_pcqa() -> Preset:
    """CLIP-PCQA: distance of cumulative opinion distributions and 0.2 times that of their quartiles.

    Published: both terms. Its contrastive term, weight 0.08, belongs to the model. Needs `score_distribution`.
    """
    return Preset((Term("cdf_quantile"),))


def lml_iqa() -> Preset:
    """RECONSTRUCTION of LML-IQA (arXiv 2406.19247): smooth L1, 0.1 times the local-manifold contrast, and consistency.

    Published: the salient crop as positive, other crops of the image as intra-class and other images as inter-class
    negatives, mutual learning with an averaged teacher. Ours: the expressions, the temperature and the weights, of the
    consistency with the teacher too. Needs a model that gives embeddings and the predictions of both networks.
    """
    return Preset((Term("smooth_l1"), Term("local_manifold", 0.1), Term("consistency")))


PRESETS: dict[str, Callable[[], Preset]] = {
    preset.__name__: preset
    for preset in (
        rankqa,
        seed000_logistic,
        seed000_logistic_batch,
        seed000_normal,
        seed000_normal_batch,
        gmc_iqa,
        linearity_iqa,
        asna,
        unique,
        liqe,
        tres,
        mm_pcqa,
        pyiqa_plcc,
        deiqt,
        nima,
        clip_pcqa,
        lml_iqa,
    )
}


def describe_presets() -> dict[str, str]:
    """Returns name and one-line description of every preset."""
    return {name: (inspect.getdoc(preset) or "").split("\n")[0] for name, preset in PRESETS.items()}


def _reconstruction(kernel: str, rows: str) -> Preset:
    options = {"kernel": kernel, "rows": rows}
    return Preset((Term("spearman", use_bank=True, options=options), Term("mse")), "fifo", 1024)
