"""What a test lets the app do before it listens."""
