"""Attention over tokens whose dimension is a whole axis of a feature map."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class TokenAttention(nn.Module):
    """x + dropout(softmax(q k^T / sqrt(d)) v) with one head and no projection of the output.

    The transposed attention block of MANIQA (CVPRW 2022) and the attention of GMC-IQA. Both programs transpose the
    result and then reshape it back, which mixes tokens with dimensions; here every token keeps its place.
    """

    def __init__(self, dimension: int, *, rank: int | None = None, dropout: float = 0.1) -> None:
        """Build the three maps.

        Args:
            dimension: of a token.
            rank: width of queries, keys and of a bottleneck of the values; None for dense maps of `dimension`, three
                times its square in parameters.
            dropout: share of the result dropped in training, in [0, 1).
        """
        super().__init__()
        width = dimension if rank is None else rank
        self.query, self.key = nn.Linear(dimension, width), nn.Linear(dimension, width)
        self.value = nn.Linear(dimension, width)
        self.expand = nn.Identity() if rank is None else nn.Linear(width, dimension, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Let every token see every other one of its row."""
        seen = scaled_dot_product_attention(self.query(tokens), self.key(tokens), self.value(tokens))
        return tokens + self.dropout(self.expand(seen))
