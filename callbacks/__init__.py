"""Lightning callbacks: each decides when something happens to a run, and calls one function of mhc to do it."""
