"""Access tokens for applications: OAuth 2.0 client credentials (RFC 6749), as RFC 9068 writes tokens."""
