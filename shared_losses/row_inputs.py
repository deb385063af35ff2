"""What losses may be given with each row, besides their options."""

from __future__ import annotations

import torch
from torch import Tensor

# Everything else in a loss's signature is an option. The values are a small example, with which options are tried
# before training: 16 rows, because ASNA's ranker takes no others.
ROW_INPUTS: dict[str, Tensor | None] = {
    "scores": torch.linspace(0, 1, 16),
    "targets": torch.linspace(0, 1, 16),
    "target_std": torch.ones(16),
    "bank_scores": None,
    "bank_targets": None,
    "bank_target_std": None,
    "bank_score_std": None,
    "score_std": torch.ones(16),
    "score_distribution": torch.full((16, 5), 0.2),
    "target_distribution": torch.full((16, 5), 0.2),
    "anchor_embeddings": torch.ones(16, 2),
    "positive_embeddings": torch.ones(16, 2),
    "negative_embeddings": torch.ones(16, 1, 2),
    "student_predictions": torch.ones(16, 2),
    "teacher_predictions": torch.ones(16, 2),
    "class_logits": torch.ones(16, 2),
    "classes": torch.arange(16) % 2,
}
