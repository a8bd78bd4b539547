"""The kiosk's durable, encrypted log, and what its two processes tell each other through it."""
