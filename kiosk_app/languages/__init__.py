"""What the kiosk itself says, in each language it speaks: one catalogue a language."""
