"""What stands between the network and everything else: JSON-RPC, authentication, problem details."""
