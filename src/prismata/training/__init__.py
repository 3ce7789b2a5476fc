"""The training engine: the only room with torch.

Invariant: the loop gets arrays (frames or features on a sampling grid, and targets) and never
talks to the catalog. Only the datasets that a `Domain`'s classic hooks return open videos.
"""
