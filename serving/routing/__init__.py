"""Lead routing as a capability of the service: use cases without HTTP, their state, and their routes."""
