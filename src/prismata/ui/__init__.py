"""Room: ui. Pages over the services, for people who label, train and look at what was found.

Invariant: a page decides nothing that a service can decide, and holds nothing that must survive.
"""

from prismata.ui.server import create_app
from prismata.ui.sign_in import who_is_signed_in

__all__ = ["create_app", "who_is_signed_in"]
