"""A look at a whole cluster from outside: what its members say, what it means, and how it is shown."""
