"""From the sessions' commands to the command journal, and how much of them may wait."""
