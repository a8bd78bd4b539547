"""The central team's web pages."""
