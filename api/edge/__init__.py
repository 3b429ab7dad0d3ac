"""The edge of the gateway: JSON-RPC, authentication, problem details, and the types that everything behind it uses."""
