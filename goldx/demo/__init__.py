"""``goldx demo``: the whole exchange on one machine, used as strangers would use it.

Nothing here has a way in that a member, an operator or a clerk would not have: the services are started as processes,
and everything after that goes through the WebSocket, the REST API and the ``goldx`` commands.
"""
