"""Verbs: what happens to a run, and when. Each calls one named function of mhc."""
