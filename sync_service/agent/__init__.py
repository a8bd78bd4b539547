"""The agent: carries the outbox to the collector, and publications back."""
