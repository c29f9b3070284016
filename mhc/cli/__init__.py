"""Command-line interface: one file per command or pair of commands, listed in `mhc.cli.command_table`."""
