"""From bytes to columns, through the model, and back to bytes."""
