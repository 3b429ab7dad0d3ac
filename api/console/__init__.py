"""The operators' console: pages for a browser, in a process of their own.

It is a client of the gateway like any other: what it shows comes from the public channels of the WebSocket, so it can
be restarted, or be behind, without the exchange noticing.
"""
