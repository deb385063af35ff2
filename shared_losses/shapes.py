"""Names for the types in public signatures: n batch rows, m bank rows.

To a type checker they are jaxtyping's; at run time plain tensors, because this package needs PyTorch and nothing else.
The losses check shapes themselves and name both sides.
"""

from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    BatchFloats = Float[Tensor, "n"]
    BatchInts = Int[Tensor, "n"]
    BankFloats = Float[Tensor, "m"]
    SomeFloats = Float[Tensor, "k"]
    SomeInts = Int[Tensor, "k"]
    ScalarFloat = Float[Tensor, ""]
else:
    BatchFloats = BatchInts = BankFloats = SomeFloats = SomeInts = ScalarFloat = Tensor

Number: TypeAlias = float | int  # settings files write 2 for 2.0
