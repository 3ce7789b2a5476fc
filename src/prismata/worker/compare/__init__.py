"""Room: worker.compare. The child that finds footage which several videos share; no torch."""
