"""What the citizen touches."""
