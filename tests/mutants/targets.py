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
    "rows.row_stores": ("spill", "interning", "tasks", "skipping"),
    "rows.combining": ("spill", "tasks"),
    "rows.map_buffer": ("spill", "tasks"),
    "rows.aggregate_input": ("aggregate_input", "tasks"),
    "encoding.heavy_keys": ("heavy_keys",),
    # what encodes
    "encoding.keys": ("codec", "ranges", "partitioning", "spill", "total_order"),
    "encoding.codec": ("codec",),
    "encoding.frames": ("frames", "shuffle", "large_frames", "spill"),
    "encoding.frame_packing": ("frames", "spill", "reduce_input", "large_frames", "heavy_keys"),
    "encoding.blobs": ("shuffle", "ranges", "large_frames"),
    "encoding.key_range": ("ranges", "key_spread", "total_order"),
    "encoding.key_index": ("ranges", "total_order"),
    "encoding.key_sampler": ("ranges", "key_spread", "total_order"),
    "encoding.key_hash": ("partition",),
    # what merges
    "encoding.merge": ("merge", "reduce_input", "spill"),
    "rows.runs": ("reduce_input", "spill", "aggregate_input"),
    "rows.reduce_input": ("reduce_input", "large_frames"),
    "columnar.runs": ("columns", "column_tasks", "large_frames"),
    "columnar.sorting": ("columns", "column_tasks", "large_frames"),
    # what rewrites
    "program.fusion": ("fusion",),
    "program.yield_rewriting": ("fusion",),
    "program.reduce_idioms": ("idioms",),
    # what commits
    "task.commit": ("commit", "tasks"),
}


def source_of(module: str) -> str:
    """Return a module's file."""
    return f"runtime/podreduce/{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """Return the files of tests that a module's mutants are tried with."""
    return [UNIT.format(name) for name in TARGETS[module]]
