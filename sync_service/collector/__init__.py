"""The central side: takes records in, opens them, publishes to kiosks, exports to analysts."""
