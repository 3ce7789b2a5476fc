"""Panels: pieces that several screens show."""
