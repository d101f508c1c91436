"""Data, training and evaluation. None of it is in the server's image."""
