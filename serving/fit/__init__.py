"""Fit of prospects: scores with what sharpens and changes them, and lists from upload to outcome."""
