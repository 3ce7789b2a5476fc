"""Room: worker.prepare. The child that makes what a player needs beside the file; no torch.

Invariant: `material.json` is stored last, so what it names is there whole.
"""
