"""The write path, in reading order: capture, transaction, related, delivery, worker."""
