"""Tiers in service: recommendations, the review list, people's decisions and overrides, trying out rules."""
