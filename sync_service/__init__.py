"""Both ends of the wire: the contract, the outbox, the agent and the collector."""
