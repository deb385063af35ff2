import torch

from imgqa.models.token_attention import TokenAttention


def test_against_a_loop_over_tokens():
    torch.manual_seed(0)
    attention, tokens = TokenAttention(5).eval(), torch.rand(2, 3, 5)
    with torch.inference_mode():
        for row, result in zip(tokens, attention(tokens), strict=True):
            keys, values = attention.key(row), attention.value(row)
            for i in range(3):
                weights = torch.softmax(keys @ attention.query(row[i]) / 5**0.5, dim=0)
                torch.testing.assert_close(result[i], row[i] + weights @ values)


def test_parameters_dense_and_of_low_rank():
    dense, low = TokenAttention(100), TokenAttention(100, rank=4)
    assert sum(p.numel() for p in dense.parameters()) == 3 * (100 * 100 + 100)
    assert sum(p.numel() for p in low.parameters()) == 3 * (100 * 4 + 4) + 4 * 100


def test_tokens_keep_their_place():
    torch.manual_seed(0)
    attention, tokens = TokenAttention(6, rank=2).eval(), torch.rand(1, 4, 6)
    order = torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        torch.testing.assert_close(attention(tokens[:, order]), attention(tokens)[:, order])


def test_dropout_acts_on_the_attention_alone():
    attention, tokens = TokenAttention(6, dropout=0.999), torch.rand(1, 4, 6)
    torch.manual_seed(0)
    assert (attention(tokens) == tokens).float().mean() > 0.8
