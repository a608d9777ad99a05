"""The roof: command line, nightly job, and the settings passed to every package below."""

__version__ = "0.1.0"
