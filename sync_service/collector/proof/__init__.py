"""Proof: a log shows by its chain and by signed words that nothing in it was lost or altered."""
