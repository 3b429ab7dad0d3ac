"""The gateway for members and staff, its REST routes, and the console."""
