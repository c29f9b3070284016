"""Attacks on mhc, one module each: `run(work, quick=...)` returns what was tried and what failed."""
