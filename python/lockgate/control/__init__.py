"""The control plane: accounts, audit, events, the console and its APIs. A node serves without it."""
