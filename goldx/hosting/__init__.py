"""How the services run: settings, processes, embedded servers, logs, health checks."""
