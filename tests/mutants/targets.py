"""Which modules are mutated, and which tests have to notice: those that stand nearest first."""

__all__ = ["TARGETS", "source_of", "tests_of"]

UNIT = "tests/unit/test_{}.py"

TARGETS: dict[str, tuple[str, ...]] = {
    # what reads
    "inputs.blocks": ("blocks", "inputs"),
    "inputs.text": ("inputs", "salvage", "tasks"),
    "inputs.fixed_length": ("fixed_length", "inputs"),
    "inputs.record_block": ("inputs", "salvage", "tasks"),
    # what groups
    "groups": ("spill", "interning", "tasks", "skipping"),
    "combine": ("spill", "tasks"),
    "spill": ("spill", "tasks"),
    "aggregate_input": ("aggregate_input", "tasks"),
    "heavy_keys": ("heavy_keys",),
    # what encodes
    "keys": ("codec", "ranges", "partitioning", "spill", "total_order"),
    "codec": ("codec",),
    "frames": ("frames", "shuffle", "large_frames", "spill"),
    "frame_packing": ("frames", "spill", "reduce_input", "large_frames", "heavy_keys"),
    "shuffle": ("shuffle", "ranges", "large_frames"),
    "ranges": ("ranges", "key_spread", "total_order"),
    "partition": ("partition",),
    # what merges
    "merge": ("merge", "reduce_input", "spill"),
    "runs": ("reduce_input", "spill", "aggregate_input"),
    "reduce_input": ("reduce_input", "large_frames"),
    "column_runs": ("columns", "column_tasks", "large_frames"),
    "column_sorting": ("columns", "column_tasks", "large_frames"),
    # what rewrites
    "fusion": ("fusion",),
    "yield_rewriting": ("fusion",),
    "idioms": ("idioms",),
    # what commits
    "commit": ("commit", "tasks"),
}


def source_of(module: str) -> str:
    """Return a module's file."""
    return f"runtime/podreduce/{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """Return the files of tests that a module's mutants are tried with."""
    return [UNIT.format(name) for name in TARGETS[module]]
