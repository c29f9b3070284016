from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mhc import hardware


@pytest.mark.parametrize(
    ("cpuinfo", "has"),
    [
        pytest.param("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True, id="AVX-512"),
        pytest.param("flags\t\t: fpu amx_bf16 amx_tile\n", True, id="AMX"),
        pytest.param("Features\t: fp asimd bf16 i8mm\n", True, id="Arm"),
        pytest.param("flags\t\t: fpu avx2 avx512f\n", False, id="older"),
        pytest.param("flags\t\t: fpu avx512_bf16x\n", False, id="another flag that starts alike"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_processor_with_bfloat16_is_known_by_its_flags(tmp_path, cpuinfo, has):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert hardware.cpu_has_bf16(tmp_path / "cpuinfo") is has


def test_a_machine_without_cpuinfo_is_taken_to_have_none():
    assert hardware.cpu_has_bf16(Path("/nowhere/cpuinfo")) is False


def test_precision_is_one_that_lightning_knows():
    for accelerator in ("auto", "cpu", "gpu", "cuda", "mps"):
        assert hardware.best_precision(accelerator) in ("bf16-mixed", "32-true")


def test_asking_for_the_precision_of_the_cpu_does_not_import_torch():
    code = "import sys, mhc.hardware as h; h.best_precision('cpu'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0
