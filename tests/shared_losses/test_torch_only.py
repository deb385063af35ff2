import subprocess
import sys

PROGRAM = """
import sys
import torch
allowed = {name.split(".")[0] for name in sys.modules} | set(sys.stdlib_module_names) | {"shared_losses"}

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
for name in ("jaxtyping", "scipy", "click"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} is not blocked")

from shared_losses import ScoreBank, SpearmanLoss

bank = ScoreBank(10)
scores = torch.tensor([0.2, 0.1, 0.4], requires_grad=True)
targets = torch.tensor([1.0, 2.0, 3.0])
for _ in range(2):
    rows = bank.view()
    loss = SpearmanLoss()(scores, targets, bank_scores=rows.scores, bank_targets=rows.targets)
    loss.backward()
    bank.push(scores, targets, torch.tensor([0, 5, 9]))
assert scores.grad.any()
print("ok")
"""


def test_the_package_needs_torch_and_nothing_else():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
