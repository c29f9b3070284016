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
        pytest.param("flags\t\t: fpu avx512_bf16x\n", False, id="another flag with the same beginning"),
        pytest.param("", False, id="empty"),
    ],
)
def test_bfloat16_is_detected_by_the_flags_of_the_processor(tmp_path: Path, cpuinfo: str, has: bool) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert hardware.cpu_has_bf16(tmp_path / "cpuinfo") is has


def test_machine_without_cpuinfo_has_no_bfloat16() -> None:
    assert hardware.cpu_has_bf16(Path("/nowhere/cpuinfo")) is False


def test_precision_is_one_of_lightnings() -> None:
    for accelerator in ("auto", "cpu", "gpu", "cuda", "mps"):
        assert hardware.best_precision(accelerator) in ("bf16-mixed", "32-true")


def test_precision_of_the_cpu_is_found_without_torch() -> None:
    code = "import sys, mhc.hardware as h; h.best_precision('cpu'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent).returncode == 0
