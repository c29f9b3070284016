"""Rules of the gates by subject; `mhc.production.gates` has the others, and the order of all."""
