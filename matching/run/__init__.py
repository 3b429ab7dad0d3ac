"""The engine process around the core: recovery, leadership, publication, snapshots."""
