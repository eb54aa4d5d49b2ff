"""Who may call: teams, applications, credentials, plans, and how they reach the node."""
