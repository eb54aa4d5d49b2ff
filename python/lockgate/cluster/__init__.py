"""A node of a cluster: it asks a control plane what to serve, and serves on without it."""
