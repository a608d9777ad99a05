"""Sphinx: Markdown through MyST, nothing loaded from outside."""

project = "partnerintel"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Partner intelligence you can check."}
myst_heading_anchors = 4
# Our `http` blocks show a request line and a body without the header lines between.
suppress_warnings = ["misc.highlighting_failure"]
