"""Lots from pre-advice to the register: step by step, or by bar lists from files; melts."""
