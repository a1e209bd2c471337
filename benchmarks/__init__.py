"""Figures of raftkv beside those of a real etcd, on the machine at hand: `python -m benchmarks --help`.

    __main__  what to run, in which order
      load      etcdload (Go): one workload on one cluster -> what its clients saw
      rounds    the workloads, on fresh clusters of both targets in turn
      failover  from the death of the leader to the next acknowledged write
      scale     a million keys: memory, start, counts, pages
      watches   events to many watchers
      saturation  latency against offered load
      figures   samples -> medians and ratios (pure)
      report    figures -> text, docs/benchmarks.md
      chart     curves -> SVG

A benchmark reports; it fails nobody's build.
"""
