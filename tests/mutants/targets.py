"""Which modules are mutated, and which tests have to notice: those that stand nearest first."""

__all__ = ["TARGETS", "name_of", "source_of", "tests_of"]


TARGETS: dict[str, tuple[str, ...]] = {
    # what reads
    "inputs.blocks": (
        "runtime/inputs/blocks",
        "runtime/inputs/requests",
        "runtime/inputs/rows",
        "runtime/inputs/byte_order_mark",
    ),
    "inputs.text": (
        "runtime/inputs/blocks",
        "runtime/inputs/first_bytes",
        "runtime/inputs/bad_lines",
        "runtime/inputs/byte_order_mark",
        "runtime/inputs/rows",
    ),
    "inputs.fixed_length": ("runtime/inputs/fixed_length", "runtime/inputs/rows"),
    "inputs.pairs": ("runtime/inputs/pairs", "runtime/inputs/requests", "runtime/inputs/reader_properties"),
    "encoding.pair_frames": ("runtime/encoding/pair_frames", "runtime/inputs/pairs"),
    "outputs.pairs_output": (
        "runtime/outputs/pairs_output",
        "runtime/outputs/output_formats",
        "runtime/outputs/batch_output",
    ),
    "inputs.record_block": ("runtime/inputs/blocks", "runtime/inputs/rows", "runtime/inputs/bad_lines"),
    "inputs.csv_rows": ("runtime/inputs/csv_columns", "runtime/inputs/rows", "runtime/inputs/bad_lines"),
    "inputs.json_lines": ("runtime/inputs/json_columns", "runtime/inputs/rows", "runtime/inputs/bad_lines"),
    # what groups
    "rows.row_stores": (
        "runtime/rows/row_stores",
        "runtime/rows/map_buffer",
        "runtime/rows/interning",
        "runtime/rows/min_max",
        "runtime/rows/recognised_values",
        "runtime/rows/memory_accounting",
        "runtime/task/tasks",
        "runtime/task/skipping",
    ),
    "rows.min_max": ("runtime/rows/min_max", "runtime/rows/recognised_values"),
    "rows.combining": ("runtime/rows/combining", "runtime/rows/map_buffer"),
    "rows.map_buffer": ("runtime/rows/map_budget", "runtime/rows/map_buffer", "runtime/task/tasks"),
    "rows.aggregate_input": (
        "runtime/rows/aggregate_input",
        "runtime/rows/recognised_values",
        "runtime/rows/memory_accounting",
        "runtime/task/tasks",
    ),
    "columnar.key_crcs": ("runtime/columnar/key_crcs", "runtime/columnar/key_columns"),
    "columnar.number_crcs": ("runtime/columnar/key_crcs", "runtime/columnar/row_order"),
    "columnar.aggregation": ("runtime/columnar/aggregation", "runtime/task/column_aggregation"),
    "encoding.heavy_keys": ("runtime/encoding/heavy_keys",),
    # what encodes
    "encoding.keys": (
        "runtime/encoding/codec",
        "runtime/encoding/encoded_together",
        "runtime/encoding/key_ranges",
        "runtime/task/bucket_choice",
        "runtime/rows/map_buffer",
        "runtime/task/total_order",
    ),
    "encoding.codec": ("runtime/encoding/codec", "runtime/encoding/encoded_together"),
    "columnar.value_columns": (
        "runtime/columnar/value_columns",
        "runtime/encoding/pair_frames",
        "runtime/inputs/pairs",
        "runtime/outputs/parquet_output",
        "runtime/outputs/batch_output",
    ),
    "encoding.frames": (
        "runtime/encoding/frames",
        "runtime/encoding/frame_packing",
        "runtime/encoding/blobs",
        "runtime/rows/map_buffer",
    ),
    "encoding.frame_packing": (
        "runtime/encoding/frame_packing",
        "runtime/encoding/frames",
        "runtime/encoding/heavy_keys",
        "runtime/rows/map_buffer",
    ),
    "encoding.blobs": ("runtime/encoding/blobs", "runtime/encoding/key_ranges"),
    "encoding.key_range": ("runtime/encoding/key_ranges", "operator/shuffle/key_spread", "runtime/task/total_order"),
    "encoding.key_index": ("runtime/encoding/key_ranges", "runtime/task/total_order"),
    "encoding.key_sampler": (
        "runtime/encoding/key_sampler",
        "runtime/encoding/key_ranges",
        "operator/shuffle/key_spread",
    ),
    "encoding.key_hash": ("runtime/encoding/key_hash", "operator/balance/bucket_packing"),
    # what merges
    "encoding.merge": ("runtime/encoding/merge", "runtime/rows/reduce_input"),
    "rows.runs": ("runtime/rows/runs", "runtime/rows/reduce_input", "runtime/rows/aggregate_input"),
    "rows.reduce_input": ("runtime/rows/reduce_input", "runtime/encoding/large_frames"),
    "columnar.runs": (
        "runtime/columnar/merging",
        "runtime/columnar/columns",
        "runtime/columnar/key_columns",
        "runtime/task/column_tasks",
        "runtime/encoding/large_frames",
    ),
    "columnar.sorting": (
        "runtime/columnar/sorting",
        "runtime/columnar/columns",
        "runtime/columnar/key_columns",
        "runtime/rows/memory_accounting",
        "runtime/task/column_tasks",
        "runtime/encoding/large_frames",
    ),
    "columnar.row_order": ("runtime/columnar/row_order", "runtime/columnar/columns", "runtime/columnar/key_columns"),
    "columnar.text_numbers": ("runtime/columnar/row_order", "runtime/columnar/key_crcs"),
    # what rewrites
    "program.fusion": ("runtime/program/fusion",),
    "program.yield_rewriting": ("runtime/program/fusion",),
    "program.reduce_idioms": ("runtime/program/reduce_idioms",),
    # what commits
    "task.commit": ("runtime/task/commit", "runtime/task/tasks"),
    # what publishes
    "runs.commit_output": ("operator/runs/commit_output",),
    "runs.publishing": ("operator/runs/publishing", "operator/runs/commit_output"),
    "outputs.parquet_dictionaries": ("runtime/outputs/parquet_dictionaries",),
    "outputs.line_output": ("runtime/outputs/output_formats", "runtime/outputs/batch_output"),
    "outputs.line_formats": ("runtime/outputs/output_formats", "runtime/outputs/batch_output"),
    "outputs.csv_fields": ("runtime/outputs/output_formats", "runtime/outputs/batch_output"),
    # what decides how much each task gets
    "balance.input_shares": ("operator/balance/input_shares",),
    "balance.even_cuts": ("operator/balance/even_cuts",),
    "balance.partition_count": ("operator/balance/bucket_packing",),
    "balance.bucket_packing": ("operator/balance/bucket_packing",),
    # what decides: the examples and some worlds are tried before these
    "pods.task_sequences": ("operator/pods/task_sequences",),
    "policy.attempt_record": ("operator/policy/attempt_record",),
    "policy.attempt_snapshots": ("operator/policy/attempt_snapshots", "operator/policy/attempt_record"),
    "policy.bad_record_limit": ("operator/policy/bad_record_limit", "operator/policy/run_end"),
    "policy.counter_totals": (
        "operator/policy/counter_totals",
        "operator/policy/status",
        "operator/history/post_mortem",
    ),
    "policy.decide": ("operator/policy/decide",),
    "policy.failure_causes": ("operator/policy/failure_causes",),
    "policy.failure_classes": ("operator/policy/failure_causes", "operator/policy/run_end"),
    "policy.failure_recording": ("operator/policy/failure_recording", "operator/policy/pod_deletion"),
    "policy.failure_rules": ("operator/policy/failure_rules", "operator/policy/failure_causes"),
    "policy.gangs": ("operator/policy/gangs",),
    "policy.job_deletion": ("operator/policy/job_deletion",),
    "policy.job_events": ("operator/policy/status",),
    "policy.pod_deletion": ("operator/policy/pod_deletion",),
    "policy.pod_packing": ("operator/policy/pod_packing", "operator/policy/run_wave"),
    "policy.retry_delays": ("operator/policy/failure_causes", "operator/policy/run_wave", "operator/policy/run_end"),
    "policy.run_cleanup": ("operator/policy/run_end",),
    "policy.run_end": ("operator/policy/run_end",),
    "policy.run_state": ("operator/policy/run_state",),
    "policy.run_wave": ("operator/policy/run_wave", "operator/policy/waves"),
    "policy.single_pod_jobs": ("operator/policy/single_pod_jobs",),
    "policy.speculation": ("operator/policy/speculation",),
    "policy.status": ("operator/policy/status",),
    "policy.stuck_pods": ("operator/policy/stuck_pods",),
    "policy.waves": ("operator/policy/waves", "operator/policy/run_wave"),
}


def is_of_operator(module: str) -> bool:
    """Tell whether a module is the operator's; the others are the runtime's."""
    return module.startswith(("balance.", "policy.", "pods.", "runs."))


def name_of(module: str) -> str:
    """Return a module's whole name."""
    return f"podreduce_operator.{module}" if is_of_operator(module) else f"podreduce.{module}"


def source_of(module: str) -> str:
    """Return a module's file."""
    root = "operator" if is_of_operator(module) else "runtime"
    return f"{root}/{name_of(module).replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """Return the files of tests that a module's mutants are tried with."""
    places = (name.rpartition("/") for name in TARGETS[module])
    return [f"tests/unit/{place}/test_{name}.py" for place, _, name in places]
