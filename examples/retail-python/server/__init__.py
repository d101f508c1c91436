"""The HTTP API: predictions, what the model is and how it was measured, health, telemetry."""
