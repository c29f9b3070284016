"""Ensembles: the folder of their members, the script that loads them without mhc, and what the gates ask of members."""
