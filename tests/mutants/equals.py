"""Mutants that no test can tell from the module: each with why. One that is not met any more fails `make mutants`.

Rule: "the tests do not reach it" is no reason.
"""

__all__ = ["EQUALS"]

EQUALS: dict[str, dict[str, str]] = {
    "columnar.key_crcs": {
        "encode_numbers: 1 -> 2": "numpy takes any number below 0 for as many as there are",
        "crc_table: np.arange(256, dtype=np.uint32) -> np.arange(256)": "wider numbers hold the same",
        "crc_table: 256 -> 257": "nobody looks up what is beyond a byte",
    },
    "columnar.number_crcs": {
        "crc32_of_numbers: bits.astype('<u8', copy=False) -> bits.astype('<u8')": "a copy has the same bits",
        "crc32_of_numbers: False -> True": "a copy has the same bits",
        "crc32_of_numbers: 1 -> 2": "numpy takes any number below 0 for as many as there are",
    },
    "columnar.runs": {
        "write_frames: 1 -> 2": "as many rows as one wishes of one byte or none go into a frame",
        "merge_tables: 1 -> 0": "a table of one run is sorted already",
        "rows_of_batch: 1 -> 2": "rows of one byte or none are as many as a batch has at most",
    },
    "columnar.sorting": {
        "_as_all: table.schema == self._schema or self._schema is None -> table.schema == self._schema and self._schema is None": "to unify tables of one schema changes none of their rows",
        "_as_all: table.schema == self._schema or self._schema is None -> self._schema is None": "to unify tables of one schema changes none of their rows",
        "_as_all: table.schema == self._schema or self._schema is None -> table.schema == self._schema": "a table that was taken has set the schema",
        "_merge_last: 1 -> 2": "only whether two levels are the same matters",
    },
    "encoding.heavy_keys": {
        "show_key: 4 -> 5": "what is cut in the middle keeps more of its beginning than is shown",
        "show_key: 4 -> 3": "what is cut in the middle keeps more of its beginning than is shown",
        "__init__: -1 -> 1": "no encoded key is empty, so none is the one before the first, whatever its bucket",
        "__init__: 1 -> 2": "no encoded key is empty, so none is the one before the first, whatever its bucket",
        "__init__: 1 -> 0": "no encoded key is empty, so none is the one before the first, whatever its bucket",
        "__init__: 0 -> -1 #2": "what is before the first key has no byte, so it is not ranked",
        "__init__: 0 -> 1 #3": "what is before the first key has no byte, so it is not ranked",
        "__init__: 0 -> -1 #3": "what is before the first key has no byte, so it is not ranked",
        "add_frame: max(lengths) + max(sizes) <= self._least -> max(lengths) + max(sizes) < self._least": "looking at each key of the frame finds the same",
        "add_frame: 0 -> 1 #2": "only the differences of the ends matter",
        "add_frame: 0 -> -1 #2": "only the differences of the ends matter",
        "add_frame: size_bytes > self._least -> size_bytes >= self._least": "a key of as many bytes as the least is not ranked when it is complete",
        "heaviest: 1 -> 0": "of items that are of one size the size decides nothing",
    },
    "inputs.fixed_length": {
        "to_arrow: 1 -> 2": "numpy takes any number below 0 for as many as there are",
    },
    "inputs.pairs": {
        "decode_pairs: zip(reader.keys, reader.values, strict=True) -> zip(reader.keys, reader.values)": "a sound frame has as many keys as values",
        "decode_pairs: True -> False": "a sound frame has as many keys as values",
        "split_at_markers: (found := data.find(MARKER, start + begins)) >= 0 -> (found := data.find(MARKER, start + begins)) > 0": "a marker at 0 is where the part begins, which is not looked at again",
        "split_at_markers: 0 -> 1 #2": "a marker at 0 is where the part begins, which is not looked at again",
        "add: self._limit is None and self.size >= HEAD_BYTES -> self._limit is None or self.size >= HEAD_BYTES": "the limit of what is no whole header is far more than a header, and it is found again",
        "add: self._limit is None and self.size >= HEAD_BYTES -> self.size >= HEAD_BYTES": "the header is the same whenever it is read",
        "add: self.size >= HEAD_BYTES -> self.size > HEAD_BYTES": "a limit is far more than a header, so what comes next is kept in any case",
    },
    "inputs.text": {
        "to_arrow: 0 -> -1": "a newline is one byte",
        "to_arrow: 0 -> 1 #2": "where the first line starts is put in afterwards",
        "to_arrow: 0 -> -1 #2": "where the first line starts is put in afterwards",
    },
    "rows.min_max": {
        "is_better: return False -> return None": "all callers ask whether it is true",
    },
    "rows.aggregate_input": {
        "are_small: return stored.raw_bytes - sum(map(len, frame.keys)) <= MEAN_ENCODED_BYTES * stored.groups -> return None": "values that are added one by one give the same sums",
        "are_small: stored.raw_bytes - sum(map(len, frame.keys)) <= MEAN_ENCODED_BYTES * stored.groups -> stored.raw_bytes - sum(map(len, frame.keys)) < MEAN_ENCODED_BYTES * stored.groups": "values that are added one by one give the same sums",
        "are_small: stored.raw_bytes - sum(map(len, frame.keys)) -> stored.raw_bytes + sum(map(len, frame.keys))": "values that are added one by one give the same sums",
        "are_small: MEAN_ENCODED_BYTES * stored.groups -> MEAN_ENCODED_BYTES + stored.groups": "values that are added one by one give the same sums",
        "_aggregate: 0 -> -1": "there is one",
    },
    "rows.map_buffer": {
        "__init__: 0 -> 1": "twice a byte is far less than COMBINE_BYTES",
        "__init__: 0 -> -1": "twice a byte is far less than COMBINE_BYTES",
    },
    "rows.combining": {
        "pack_group: 0 -> -1": "there is one",
    },
    "policy.waves": {
        "find_wave: 0 -> 1": "either all maps of a run are map-only or none is",
        "find_wave: 0 -> -1": "either all maps of a run are map-only or none is",
        "current_generations: 0 -> 1": "a lost generation is 0 or more, so the next one is 1 or more in any case",
        "current_generations: 0 -> -1": "a lost generation is 0 or more, so the next one is 1 or more in any case",
        "is_committed: 0 -> -1": "no commit is of a generation below 0",
    },
    "policy.counter_totals": {
        "measure: zip(MEASURES, values, strict=False) -> zip(MEASURES, values)": "that is zip's default",
    },
    "policy.run_wave": {
        "start_attempts: len(scene.ready) < scene.room -> len(scene.ready) <= scene.room": "with as many tasks ready as there is room, there is no room left for twins",
        "group_ready: 1 -> 0": "a pod takes one task at least, whatever it may take",
        "group_ready: 0 -> -1": "only whether two generations are the same matters; those of tasks made again are 1 or more",
    },
    "policy.attempt_record": {
        "past_attempts: replace(turn, finished_at=None, exit_code=None, reason='', message='', disrupted=False) -> replace(turn, finished_at=None, exit_code=None, reason='', message='')": "records of attempts do not say whether these were disrupted",
        "past_attempts: False -> True #2": "records of attempts do not say whether these were disrupted",
    },
    "policy.attempt_snapshots": {
        "has_story: return False -> return None": "the only caller asks whether it is true",
        "find_news: (turn for pod in observed.run_pods if pod.sequence for turn in past_attempts(pod, observed.commits)) -> (turn for pod in observed.run_pods for turn in past_attempts(pod, observed.commits))": "a pod at its first task has no turns behind it",
        "find_news: 0 -> 1": "every stage that is kept is 1 or more, and DONE is above 1",
        "find_news: 0 -> -1": "every stage that is kept is 1 or more, and DONE is above 1",
        "find_news: 0 -> -1 #2": "every stage that is kept is 1 or more",
    },
    "policy.pod_deletion": {
        "why_needless: 0 -> -1": "pods are of generation 0 or more",
    },
    "policy.pod_packing": {
        "most_per_pod: 1.0 -> 2.0": "with means of 1 and 2 bytes AUTO_BYTES gives more tasks than MOST_TASKS",
        "form_groups: 0 -> -1": "the group has one task then",
        "form_groups: shared is not None and waiting and (len(group) < size) and (kind(waiting[0]) == shared) -> shared is not None and len(group) < size and (kind(waiting[0]) == shared)": "the sizes add up to no more than the tasks, so some wait while a group is not full",
    },
    "policy.retry_delays": {
        "next_attempt_at: 0.0 -> -1.0": "delays end at 0.0 or later",
        "delayed: 0.0 -> -1.0": "the only caller takes 0.0 at least",
    },
    "policy.run_cleanup": {
        "clean_up: run.terminal or '' -> run.terminal": "only runs that have ended are tidied",
    },
    "policy.failure_rules": {
        "has_exit_code: return False -> return None": "the only caller asks whether it is true",
    },
    "policy.gangs": {
        "settled_at: 0.0 -> -1.0": "both are before any time that is asked about",
        "join_gang: observed.job.spec.admission != 'Gang' or not creates -> observed.job.spec.admission != 'Gang'": "of no pods none join",
        "join_gang: 0 -> 1 #2": "a pod that joins no gang is as it was",
    },
    "policy.speculation": {
        "find_slow: 0 -> -1": "all tasks of a wave are of one type",
    },
}
"""Module → change (as `make mutants` prints it) → why it is equal."""
