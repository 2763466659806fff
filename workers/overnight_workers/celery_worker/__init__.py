"""A worker as a process of Celery's: its app, its transport, what it checks before it starts, how it stops."""
