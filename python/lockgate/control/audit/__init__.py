"""The audit log in the database: the entries of `lockgate.audit`, written with what they account for."""
