"""``goldx demo``: the whole exchange on one machine, used as a member, an operator and a clerk would use it.

The services are started as processes. Everything after that goes through the WebSocket, the REST API and the ``goldx``
commands; the demonstration has no other access to them.
"""
