"""Screens: one file a page, each a composition of panels over the services."""
