"""Insight: what the central team learns from opened records, and what leaves for analysts."""
