"""The losses as modules: they hold options and call the functions of `shared_losses.functional`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from shared_losses.functional import mae_loss, mse_loss, norm_in_norm_loss, plcc_loss, spearman_loss
from shared_losses.shapes import BankFloats, BatchFloats, Number, ScalarFloat


class _OptionsLoss(nn.Module):
    function: ClassVar[Callable[..., Tensor]]

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(
        self,
        scores: BatchFloats,
        targets: BatchFloats,
        *,
        bank_scores: BankFloats | None = None,
        bank_targets: BankFloats | None = None,
        target_std: BatchFloats | None = None,
    ) -> ScalarFloat:
        bank = {"bank_scores": bank_scores, "bank_targets": bank_targets, "target_std": target_std}
        return type(self).function(scores, targets, **bank, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


class SpearmanLoss(_OptionsLoss):
    """Module form of `shared_losses.functional.spearman_loss`, where the options are described."""

    function = staticmethod(spearman_loss)

    def __init__(
        self,
        *,
        kernel: str = "box",
        window: Number = 0.1,
        tau: Number | None = None,
        normalizer: str = "soft",
        rows: str = "all",
        rescale: bool = True,
    ) -> None:
        super().__init__(kernel=kernel, window=window, tau=tau, normalizer=normalizer, rows=rows, rescale=rescale)


class PLCCLoss(_OptionsLoss):
    """Module form of `shared_losses.functional.plcc_loss`."""

    function = staticmethod(plcc_loss)

    def __init__(self, *, rescale: bool = True) -> None:
        super().__init__(rescale=rescale)


class NormInNormLoss(_OptionsLoss):
    """Module form of `shared_losses.functional.norm_in_norm_loss`, where the options are described."""

    function = staticmethod(norm_in_norm_loss)

    def __init__(
        self,
        *,
        p: Number = 1.0,
        q: Number = 2.0,
        alpha: Sequence[Number] = (1.0, 0.0),
        detach: bool = False,
        exponent: bool = True,
        rescale: bool = True,
    ) -> None:
        super().__init__(p=p, q=q, alpha=alpha, detach=detach, exponent=exponent, rescale=rescale)


class MSELoss(_OptionsLoss):
    """Module form of `shared_losses.functional.mse_loss`: squared error on standardised targets."""

    function = staticmethod(mse_loss)

    def __init__(self, *, location: Number | None = None, scale: Number | None = None) -> None:
        super().__init__(location=location, scale=scale)


class MAELoss(_OptionsLoss):
    """Module form of `shared_losses.functional.mae_loss`: absolute error on standardised targets."""

    function = staticmethod(mae_loss)

    def __init__(self, *, location: Number | None = None, scale: Number | None = None) -> None:
        super().__init__(location=location, scale=scale)
