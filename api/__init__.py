"""What members and staff reach: the gateway, its REST paths, and the console."""
