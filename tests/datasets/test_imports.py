import pkgutil
import subprocess
import sys

import rankqa_datasets


def test_no_module_imports_torch():
    modules = [f"rankqa_datasets.{module.name}" for module in pkgutil.iter_modules(rankqa_datasets.__path__)]
    assert len(modules) > 10
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
