"""Appending the sessions' commands to the command journal, and limiting how many may be unanswered."""
