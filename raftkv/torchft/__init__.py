"""A lighthouse beside the workers: torchft's clients know one address, and this one hides which node of the cluster answers.

It needs no torchft, and neither does the lighthouse itself, which is the cluster's (raftkv.lighthouse). docs/lighthouse.md is the guide.
"""

from raftkv.torchft.endpoint import Endpoint, serve

__all__ = ["Endpoint", "serve"]
