"""One replica at work: it drives raft/ with the disk, the network and the state machine, and answers the services."""
