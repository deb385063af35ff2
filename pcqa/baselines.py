"""What full-reference metrics say of the stimuli that a network is judged on."""

from collections.abc import Sequence

from pcqa.io import read_cloud
from pcqa.metrics.cloud_pair import CloudPair
from pcqa.metrics.score import fitting_metrics, score_pair
from pcqa.metrics.table import DEFAULT
from rankqa_datasets.errors import InputError
from rankqa_datasets.stimulus import Stimulus


def full_reference_scores(stimulus: Stimulus, names: Sequence[str] | None = None) -> dict[str, float]:
    """Metrics of a stimulus against its reference, higher is better; PSNRs may be infinite.

    Args:
        stimulus: of a manifest with references.
        names: of `pcqa.metrics.METRICS`. Default: D1, D2, YUV-PSNR and PCQM. Those that need colours or normals that
            the clouds lack, and those that refuse the pair, are left out.

    Raises:
        InputError: no reference, or a file that cannot be read.
    """
    if stimulus.reference is None:
        raise InputError(f"{stimulus.id} has no reference to compare with: fill the manifest's column reference")
    pair = CloudPair(read_cloud(stimulus.reference), read_cloud(stimulus.path))
    scores = {}
    for name in fitting_metrics(pair, names or DEFAULT, {}):
        try:
            scores[name] = score_pair(pair, name).score
        except InputError:  # as of points that all lie at the origin: no reason to lose a run, or the other metrics
            continue
    return scores
