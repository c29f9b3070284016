"""Where a run came from: its code, its environment, its data, and the commands that repeat it."""
