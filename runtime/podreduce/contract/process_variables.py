"""Environment variables that concern a process and not its task: `environment` has the task's.

Rule: imports nothing, so that a fork server can be started before anything else is imported.
"""

__all__ = [
    "BLOBS_VARIABLE",
    "DEBUG_VARIABLE",
    "FORK_CHANNEL_VARIABLE",
    "FORK_SERVER_VARIABLES",
    "INTERPRETER_VARIABLES",
    "LIFELINE_VARIABLE",
    "MODULES_VARIABLE",
]

LIFELINE_VARIABLE = "PODREDUCE_LIFELINE"
"""For local processes: the number of the descriptor whose pipe breaks when the engine ends."""
MODULES_VARIABLE = "PODREDUCE_MODULES"
"""For local processes: the directory of the program's file, whose modules the program may import."""
BLOBS_VARIABLE = "PODREDUCE_REPLAY_BLOBS"
"""For a replay: the run's prefix, whose blobs a reduce reads; it writes nothing there."""
DEBUG_VARIABLE = "PODREDUCE_REPLAY_DEBUG"
"""For a replay: set if a debugger is to be opened where the task fails."""
FORK_CHANNEL_VARIABLE = "PODREDUCE_FORK_CHANNEL"
"""For the fork server: the number of the descriptor of its socket to the engine."""
INTERPRETER_VARIABLES = {"PYTHONHASHSEED": "0"}
"""What every task's interpreter starts with, whatever the image or the job sets. With a random seed each process would
have another `hash("a")` and another order of a set, and `hash(key) % partitions` would spread a key's values."""

FORK_SERVER_VARIABLES = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "OPENBLAS_NUM_THREADS": "1",
    "GLIBC_TUNABLES": (
        "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:"
        "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=67108864"
    ),
}
"""What the fork server starts with. No import may start a thread, because a fork would lose it. Many page faults of
large columns are avoided: pages are huge, the threads that read share one arena, as another has small pages only, and a
task begins with the thresholds that glibc comes to by itself."""
