"""The console: the same use cases for people who do not call APIs. `http.mount` is all that joins it on."""
