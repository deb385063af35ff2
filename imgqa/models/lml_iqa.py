"""LML-IQA: crops of an image told apart by a contrast around the most salient one, with an averaged teacher."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from imgqa.models.class_attention import class_token_backbone, features_and_attention
from imgqa.models.crop_saliency import CROP_SALIENCY, part_by_saliency, saliency_map
from imgqa.models.crop_scores import mean_over_crops
from rankqa_datasets.errors import InputError
from shared_engine.timm_backbone import check_crop_size, own_normalisation


class LMLIQA(nn.Module):
    """RECONSTRUCTION of Gao et al., "Local Manifold Learning for No-Reference Image Quality Assessment", arXiv
    2406.19247.

    Only the abstracts were at hand, of this and of version 2 (Huang et al., "Contrastive Local Manifold Learning ...").
    Known from them: several crops of an image, the most visually salient one as the positive, the other crops of the
    image as intra-class negatives and those of other images as inter-class negatives; mutual learning of a student with
    a teacher that is an exponential moving average and helps to find salient regions. All else is ours, as the options
    say, and this: a vision transformer with one linear layer scores each crop; the score of an image is the mean over
    its crops. The teacher sees all crops, mirrored, and says which crop of an image is salient. Anchor is the student's
    embedding of this crop, positive the teacher's, negatives the teacher's of the other crops, all from a projector
    beside the head, since crops that share a target are pushed apart. Clusters of several positives (v1) are not built.

    The teacher moves at the first training pass after each step of the optimiser, before it looks. It is part of the
    state: a run that is resumed has the same teacher. Its parameters have no gradient.
    """

    def __init__(
        self,
        *,
        backbone: str = "deit3_small_patch16_224",
        pretrained: bool = False,
        saliency: str = "focus",
        mutual: str = "saliency",
        momentum: float = 0.996,
        mirror: bool = True,
        embedding: int = 128,
        dropout: float = 0.0,
        scored_by: str = "student",
    ) -> None:
        """Build the student and copy it as the teacher.

        Args:
            backbone: name of a vision transformer of timm with a class token, with or without a tag of weights. Ours,
                after DEIQT, whose results the paper compares with.
            pretrained: start from timm's weights, which are downloaded unless they lie in its cache.
            saliency: of a crop, from the class token's attention in the teacher's last block. "focus": how far it is
                from even; "mass": how much of it goes to patches.
            mutual: what the student learns from the teacher. "saliency": the roots of its saliency maps, whose mean
                squared difference is twice the squared Hellinger distance; "scores": its scores of the crops.
            momentum: share of the teacher kept at a step, in [0, 1), once it is the smaller one; before, the teacher is
                the mean over all steps, as in Mean Teacher (NIPS 2017).
            mirror: show the crops to the teacher mirrored left to right; else both see the same pixels.
            embedding: dimensions of an embedding.
            dropout: share of the features dropped before the head in training, in [0, 1).
            scored_by: which network scores in evaluation, "student" or "teacher".

        Raises:
            InputError: unknown backbone, weights that cannot be had, or not a vision transformer with a class token.
        """
        super().__init__()
        for name, value, known in (
            ("saliency", saliency, tuple(CROP_SALIENCY)),
            ("mutual", mutual, ("saliency", "scores")),
            ("scored_by", scored_by, ("student", "teacher")),
        ):
            if value not in known:
                raise ValueError(f"expected {name} to be one of {', '.join(map(repr, known))}, got {value!r}")
        for name, value in (("momentum", momentum), ("dropout", dropout)):
            if not 0 <= value < 1:
                raise ValueError(f"expected {name} in [0, 1), got {value}")
        if embedding < 1:
            raise ValueError(f"expected a positive number of embedding dimensions, got {embedding}")
        self.saliency, self.mutual, self.mirror, self.scored_by = CROP_SALIENCY[saliency], mutual, mirror, scored_by
        self.student = _Network(backbone, pretrained, embedding, dropout)
        self.teacher = AveragedModel(self.student, avg_fn=_MeanTeacher(momentum)).requires_grad_(False).eval()

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Score `images` (B, K, 3, H, W) in [0, 1], of the size that the backbone takes.

        Returns:
            `scores` (B,), higher is better, and in training of D embedding dimensions `anchor_embeddings` (B, D),
            `positive_embeddings` (B, D), `negative_embeddings` (B, K - 1, D), `student_predictions` and
            `teacher_predictions`, both (B, K) or (B, K, patches); nothing of the teacher carries a gradient.

        Raises:
            InputError: crops of another size, or a single one of an image in training.
        """
        images = batch["images"]
        check_crop_size(self.student.backbone, images)
        if not self.training:
            network = self.student if self.scored_by == "student" else self.averaged
            return {"scores": mean_over_crops(network, images)}
        if images.shape[1] < 2:
            raise InputError("this model tells the crops of an image apart: set input.train_crops to 2 or more")
        self._move_teacher()
        student = self.student.see(images.flatten(0, 1))
        teacher = self._taught(images.flatten(0, 1))
        crops = images.shape[:2]
        salient, others = part_by_saliency(self.saliency(teacher.attention).unflatten(0, crops))
        image = torch.arange(len(images), device=images.device)
        anchors = self.student.projector(student.features.unflatten(0, crops)[image, salient])
        with torch.no_grad():
            embeddings = self.averaged.projector(teacher.features).unflatten(0, crops)
        return {
            # Distributed training wants a gradient for every parameter, also where no loss asks for embeddings.
            "scores": student.scores.unflatten(0, crops).mean(dim=1) + 0 * anchors.sum(),
            "anchor_embeddings": anchors,
            "positive_embeddings": embeddings[image, salient],
            "negative_embeddings": embeddings[image[:, None], others],
            "student_predictions": self._predictions(student).unflatten(0, crops),
            "teacher_predictions": self._predictions(teacher).unflatten(0, crops),
        }

    def train(self, mode: bool = True) -> "LMLIQA":
        """Set the mode of the student; the teacher never drops anything."""
        super().train(mode)
        self.teacher.eval()
        return self

    @property
    def averaged(self) -> "_Network":
        """The network inside the teacher."""
        return cast(_Network, self.teacher.module)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters that get the smaller learning rate."""
        return list(self.student.backbone.parameters())

    def _move_teacher(self) -> None:
        gradient = self.student.score.weight.grad
        # A gradient that waits for others (engine.accumulate) means that the student has not moved since.
        if gradient is None or not gradient.any():
            self.teacher.update_parameters(self.student)

    @torch.no_grad()
    def _taught(self, crops: Tensor) -> "_Seen":
        seen = self.averaged.see(crops.flip(3) if self.mirror else crops)
        if not self.mirror:
            return seen
        # Back in the places of the student's patches.
        return seen._replace(attention=seen.attention.unflatten(1, self.student.grid).flip(2).flatten(1))

    def _predictions(self, seen: "_Seen") -> Tensor:
        if self.mutual == "scores":
            return seen.scores
        # The root has no slope at 0, which attention reaches by underflow.
        return saliency_map(seen.attention).clamp_min(1e-12).sqrt()


class _Seen(NamedTuple):
    """Of N crops: scores (N,), features (N, F), attention of the class token to the patches (N, P)."""

    scores: Tensor
    features: Tensor
    attention: Tensor


class _Network(nn.Module):
    """A transformer that scores crops, and a projector of its features for the contrast."""

    def __init__(self, backbone: str, pretrained: bool, embedding: int, dropout: float) -> None:
        super().__init__()
        self.backbone, features, self.grid = class_token_backbone(backbone, pretrained=pretrained)
        self.normalise = own_normalisation(self.backbone)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(features, 1)
        self.projector = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, embedding))

    def forward(self, crops: Tensor) -> Tensor:
        return self._score(self.backbone(self.normalise(crops)))

    def see(self, crops: Tensor) -> _Seen:
        features, attention = features_and_attention(self.backbone, self.normalise(crops))
        return _Seen(self._score(features), features, attention)

    def _score(self, features: Tensor) -> Tensor:
        return self.score(self.dropout(features)).squeeze(1)


class _MeanTeacher:
    """m * teacher + (1 - m) * student with m the smaller of the momentum and n / (n + 1) at the n-th move."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum

    def __call__(self, teacher: Tensor, student: Tensor, moves: Tensor | int) -> Tensor:
        moves = torch.as_tensor(moves, dtype=teacher.dtype, device=teacher.device)
        return student.lerp(teacher, (moves / (moves + 1)).clamp(max=self.momentum))
