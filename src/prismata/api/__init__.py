"""Room: api. HTTP routes beside the pages: ranged media, uploads, bundles, jobs, health.

Invariant: nothing big is held in memory, and nothing that needs a permission answers without one.
"""

from prismata.api.access_log import hide_query_strings
from prismata.api.gate import create_gate
from prismata.api.routes import create_routes

__all__ = ["create_gate", "create_routes", "hide_query_strings"]
