"""From pre-advice to the register: intake step by step, melts, bar lists from files."""
