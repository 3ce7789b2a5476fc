"""The detection engine: frames → features → scores → events, without torch.

Invariant: each sampled frame is decoded once and encoded once; what production runs here is what
training's parity gate and frozen-feature path run too.
"""
