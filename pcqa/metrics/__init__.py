"""Full-reference metrics of point clouds: `score` for any set of them; one file a metric."""

from pcqa.metrics.score import Score, score
from pcqa.metrics.table import METRICS

__all__ = ["METRICS", "Score", "score"]
