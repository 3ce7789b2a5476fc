"""Room: worker. The processes that do heavy work for the catalog's jobs."""
