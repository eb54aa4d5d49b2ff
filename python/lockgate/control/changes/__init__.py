"""Changes in the console: the directories of `lockgate.changes`, with people, roles and a worker around."""
