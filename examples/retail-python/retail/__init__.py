"""The words that data, training and server share."""
