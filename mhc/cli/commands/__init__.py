"""The commands of `mhc`, one file per command or pair of commands."""
