"""Health of partners, at-risk alerts, events coming in, and events told to others."""
