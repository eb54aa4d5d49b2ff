"""The nodes of this control plane: who they are, what each is to serve, and what it took."""
