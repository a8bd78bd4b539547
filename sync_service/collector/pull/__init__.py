"""The pull API: opened records for the central team's own analysts, a token in hand."""
