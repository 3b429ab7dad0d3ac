"""The life of every kind of document, as data: state machines, groups of states, and the kinds of proposal.

Tables, business modules and drawings all read it; it imports nothing of settlement.
"""
