"""The words you type: one file per group of commands, found in the table of `mhc.cli.command_table`."""
