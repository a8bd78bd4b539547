"""The commands of ``regard-collector``, group by group: how each is called, and what it does."""
