"""The dashboard at /ui: what the cluster and the jobs on it are doing, in a browser.

    browser --GET /ui/...-------> assets: files of this package, held in memory
            --GET /ui/api/...---> questions: one answer in JSON
            --GET /ui/api/live--> the same question again and again, as server-sent events
            --POST /v3/...------> the JSON gateway: all that changes anything

Every question is asked with the caller's token and answers only what that user may read. Nothing here writes.
"""

from raftkv.ui.dashboard import Dashboard

__all__ = ["Dashboard"]
