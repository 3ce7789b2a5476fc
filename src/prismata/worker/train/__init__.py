"""Torch's side of the worker: train, export, detect; the only importer of `training`.

`python -m prismata.worker.train` is one isolated child that speaks `core.protocol`.
"""
