"""Training on several machines: a crew on each node of a Ray cluster, and one driver.

::

    settings   what a user says about a cluster
    sync       what nodes tell one another of their rows: NumPy only
    node       one node: a crew, and its part in the rounds; NumPy only
    access     Ray itself: whether it is there, how to reach a cluster
    actor      a node as a Ray actor
    recruiting nodes that are there, or come, and are to take part
    rounds     what a driver keeps of nodes and rounds
    driver     all nodes as one crew: rounds, losses, who joins
"""
