"""The service: one port, one guard, scores with reasons, decisions that can be replayed."""
