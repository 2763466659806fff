"""Keys that may change while workers run: of workspaces, and those that bodies are encrypted by."""
