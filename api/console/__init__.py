"""The operators' console: pages for a browser, in a process of its own.

It is a client of the gateway like any other: it shows the public channels of the WebSocket. So it can be restarted, or
be slow, without any effect on the exchange.
"""
