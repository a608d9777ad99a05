"""Company matching: which records of two lists, or of one, are the same company, and why.

Pure code over frames; nothing is fetched and nothing is learned at run time.
"""

from models.accounts.matching import Group, Match, best_match, duplicates, pairs

__all__ = ["Group", "Match", "best_match", "duplicates", "pairs"]
