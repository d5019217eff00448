"""The backup of a platform: one tar with all that cannot be made again."""
