"""The training engine: the only room with torch.

Invariant: data comes in as arrays (frames or features on a sampling grid, and targets), so
training never decodes a video and never talks to the catalog.
"""
