"""Commands of single capabilities."""
