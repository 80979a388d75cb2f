"""The read path, in reading order: params, dispatcher, hydrate."""
