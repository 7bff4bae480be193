"""Traits of a command: the bits of `Command.traits`.

    WRITES             changes the state: journaled; refused while the node is read-only or the log has failed
    GROWS              may need memory: evicts keys, or is refused as OUT_OF_MEMORY
    ABOVE_MAX          GROWS a little, and may do so above max_memory: nothing is evicted for it
    WAITS              may be parked until a key, queue or room of it changes, at most for its Timeout
    INTERNAL           for the log, snapshots and upkeep only: on no surface
    SESSION            RESP only: concerns the calling connection, or is another name of a row
    CONTROL            runs at once within MULTI instead of being queued
    NOT_IN_MULTI       refused within MULTI
    WHILE_SUBSCRIBED   allowed on a RESP2 connection with subscriptions
    COUNTS_AS_SET      counted as a set in the statistics of strings
    COUNTS_AS_DELETE   counted as a removal in the statistics of strings
    ONTO_ITSELF        JSON surfaces: copying an existing key onto itself is a success
    EMPTY_IS_NIL       JSON surfaces render an empty text as NIL
    ADMIN              needs the permission to administrate
    SIGNED_OUT         allowed to callers who have not signed in
    EMPTIES            removes everything of a namespace, queue or room: random tests call the row rarely
    TRUSTED            INTERNAL, with arguments of a snapshot or of a decision in the log, which are not checked again
    BY_SHARD_CHANNEL   its first arguments are shard channels, by which cluster clients route as by keys
    OTHER_NAME         another name of a row: its calls are counted with that row
    MAY_REPLICATE      held back by a pause of writes though it changes no key: what it sends may reach replicas
    WAS_ITEMS          returns ITEM where 0.1.0 returned ITEMS, so frames of its calls with either status are replayed
    WALKS              walks over all keys: surfaces that can wait make the walk in steps, before the call
    ESTIMATES          WALKS, and estimates each HyperLogLog on the way
    NOT_IN_SCRIPTS     no script may call the row (besides those whose Redis flags say so)
    RUNS_SCRIPT        runs a script in Lua, which calls other rows
    REFUSED_WITH_200   REST answers what this row refuses with status 200, as `{"error": ...}` (the faults with 200)
"""

(
    WRITES, GROWS, WAITS, INTERNAL, SESSION, CONTROL, NOT_IN_MULTI, WHILE_SUBSCRIBED, COUNTS_AS_SET, COUNTS_AS_DELETE,
    ONTO_ITSELF, EMPTY_IS_NIL, ADMIN, SIGNED_OUT, EMPTIES, TRUSTED, BY_SHARD_CHANNEL, OTHER_NAME, MAY_REPLICATE,
    WAS_ITEMS, REFUSED_WITH_200, WALKS, ESTIMATES, ABOVE_MAX, NOT_IN_SCRIPTS,
    RUNS_SCRIPT,
) = (1 << bit for bit in range(26))  # fmt: skip
