"""Applications that show how the packages are used."""
