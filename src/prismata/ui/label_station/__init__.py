"""The label station and the library rail: browser components of plain ES modules, see `assets`."""
