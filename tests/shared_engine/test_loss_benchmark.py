import pytest
import torch

from shared_engine.loss_benchmark import CASES, MOST_PAIRS, PAIRWISE, loss_step, measure, peak_bytes, skip_reason


def test_peak_memory_counts_what_is_held_at_once(capfd):
    def step():
        first = torch.empty(1000, dtype=torch.float64)
        del first
        second, third = torch.empty(500, dtype=torch.float64), torch.empty(300, dtype=torch.float64)
        del second, third

    assert peak_bytes(step) == 8000
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("case", [*CASES, "naive_sigmoid"])
@pytest.mark.parametrize("bank", [0, 9])
def test_every_case_runs(case, bank):
    assert skip_reason(case, 16, bank) is None
    loss_step(case, 16, bank)()


def test_a_measurement_is_positive():
    figure = measure("spearman/box", 16, 100, repeats=1)
    assert (figure.case, figure.batch, figure.bank) == ("spearman/box", 16, 100)
    assert min(figure.milliseconds, figure.ratio, figure.peak_bytes) > 0
    assert figure.bytes_per_row == figure.peak_bytes / 116


def test_what_does_not_fit_is_not_tried():
    assert skip_reason("asna", 64, 0) == "takes batches of 16 rows only"
    for case in PAIRWISE:
        assert "pairs, about" in skip_reason(case, 4096, MOST_PAIRS // 4096)
    assert skip_reason("spearman/box", 10**6, 0) is None


@pytest.mark.parametrize("kernel", ["box", "laplace", "triangle"])
def test_working_memory_is_linear_in_the_rows(kernel):
    small, large = (measure(f"spearman/{kernel}", 64, bank, repeats=1).bytes_per_row for bank in (20_000, 200_000))
    assert large < small * 1.05
    assert large < 96


def test_the_default_kernel_works_in_64_bytes_a_row():
    for batch, bank in ((64, 65_536), (65_536, 0)):
        assert measure("spearman/box", batch, bank, repeats=1).bytes_per_row <= 64
