"""The sandbox's HTTP side: calls, access, limits, control."""
