"""The vocabulary every other room speaks: time, events, scores, recipes, cards, jobs, errors.

Invariant: this room imports the standard library and numpy, nothing else.
"""
