"""Mutants that no test can tell from the module: each with why. One that is not met any more fails `make mutants`.

Rule: "the tests do not reach it" is no reason.
"""

__all__ = ["EQUALS"]

EQUALS: dict[str, dict[str, str]] = {
    "rows.reduce_input": {
        "add_blob: full or frame.ends_segment -> frame.ends_segment": "a run that was spilled has no frames left, so it is held anew",
    },
    "inputs.csv_rows": {
        "to_arrow: 1 -> 0": "at most one line is skipped, and Arrow reads no row from the blank one that this leaves",
        "to_arrow: shape.columns or () -> shape.columns and ()": "what is not read at once is read row by row, to the same columns",
        "rows_to_arrow: shape.columns or () -> shape.columns": "who asks for columns has named or numbered them",
        "filled_offsets: zip(line_offsets(block)[skip:], lines[skip:], strict=False) -> zip(line_offsets(block)[skip:], lines[skip:])": "that is its default",
        "to_arrow: data.find(NEWLINE) + 1 or len(data) -> data.find(NEWLINE) + 1 and len(data)": "of no bytes Arrow reads nothing at once, so the rows are read one by one",
    },
    "inputs.json_lines": {
        "to_batch: columns or open_columns(block, uri, options) -> columns": "only who asked for columns asks for a batch",
        "read_bytes: errors == 'strict' or block.data.isascii() -> errors == 'strict'": "ASCII is decoded and encoded to itself",
        "to_batch: columns or open_columns(block, uri, options) -> columns and open_columns(block, uri, options)": "columns that are opened again are the same, and only who asked for columns asks for a batch",
        "to_batch: columns or open_columns(block, uri, options) -> open_columns(block, uri, options)": "columns that are opened again are the same",
    },
    "outputs.parquet_dictionaries": {
        "dictionary_paths: zip(table.schema, table.columns, strict=True) -> zip(table.schema, table.columns)": "a table has a column for each field",
        "dictionary_paths: True -> False": "a table has a column for each field",
    },
    "outputs.line_output": {
        "_write_together: return False -> return None": "it is only asked whether it is true",
    },
    "columnar.value_columns": {
        "build_column: len(present) < len(values) -> len(present) <= len(values)": "a mask without nulls hides nothing",
    },
    "outputs.line_formats": {
        "fixed_lines: record_length is not None and {*map(add, map(len, keys), map(len, values))} != {record_length} -> {*map(add, map(len, keys), map(len, values))} != {record_length}": "what is not written together is written one by one, to the same bytes",
        "json_lines: not ALIKE.issuperset(map(type, values)) and (not are_flat_arrays(values)) -> not ALIKE.issuperset(map(type, values)) or not are_flat_arrays(values)": "what is not written together is written one by one, to the same bytes",
        "json_lines: not ALIKE.issuperset(map(type, values)) and (not are_flat_arrays(values)) -> not are_flat_arrays(values)": "what is not written together is written one by one, to the same bytes",
        "json_lines: return encode_json_lines([{'key': key, 'value': value} for key, value in pairs]) -> return None": "what is not written together is written one by one, to the same bytes",
        "fixed_lines: zip(*pairs, strict=True) -> zip(*pairs)": "every pair is of two",
        "fixed_lines: True -> False": "every pair is of two",
        "fixed_lines: return b''.join(chain.from_iterable(pairs)) -> return None": "what is not written together is written one by one, to the same bytes",
    },
    "columnar.aggregation": {
        "grouped: table.group_by('key', use_threads=False) -> table.group_by('key')": "Arrow has one thread in a task",
        "has_pythons_order: return False -> return None": "it is only asked whether it is true",
        "could_overflow: max(abs(bounds['min']), abs(bounds['max'])) * len(values) > MAX_EXACT_SUM -> max(abs(bounds['min']), abs(bounds['max'])) * len(values) >= MAX_EXACT_SUM": "decimals have the same sum",
        "python_values: 0 -> -1": "a column has one type",
    },
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
    "columnar.row_order": {
        "cut_digits: 1 -> 2": "the bit beyond a piece is the first of the next one, by which the rows are sorted after it",
        "digits_of: field.fill_null(0.0).to_numpy(zero_copy_only=False) -> field.fill_null(0.0).to_numpy()": "what has no null needs no copy",
        "shifted: 0 -> -1 #2": "numbers from 1 on order as those from 0 on",
        "sort_fixed_width: 4 -> 5": "both ways give the same order",
    },
    "columnar.text_numbers": {
        "number_texts: 8 -> 7 #2": "numbers that are moved by fewer bits order alike",
        "number_texts: 1 -> 2": "only texts of no bytes would move by that many, and their numbers are 0",
        "number_texts: 1 -> 0": "only texts of no bytes would move by that many, and their numbers are 0",
        "number_distinct: 0 -> 1": "any number is good for null",
        "number_distinct: MOST_DISTINCT * len(column) -> MOST_DISTINCT + len(column)": "ranks order as the texts do, however many there are",
        "number_distinct: np.arange(len(ranks), dtype=np.uint64) -> np.arange(len(ranks))": "the ranks are stored as what they go into",
        "words: 0 -> -1": "of a text without bytes all bits are moved out in any case",
        "words: 1 -> 2 #4": "both parts of the shift stay below 64 bits",
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
        "add_up: zip(keys, values, strict=True) -> zip(keys, values)": "a frame of ones has a value for each key",
        "add_up: True -> False": "a frame of ones has a value for each key",
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
        "group_ready: 1 -> 0": "a pod takes one task at least, whatever it may take",
        "group_ready: 0 -> -1": "only whether two generations are the same matters; those of tasks made again are 1 or more",
        "start_attempts: len(view.ready) < view.room -> len(view.ready) <= view.room": "with as many tasks ready as there is room, there is no room left for twins",
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
    "encoding.merge": {
        "merge_runs: (cursor.keys[-1] for cursor in cursors if not cursor.is_last) -> (cursor.keys[-1] for cursor in cursors)": "only more rounds: each of them yields the groups up to its cut, whichever cut that is",
        "merge_below: 2 -> 1": "a single run is sorted already, and a stable sort leaves it as it is",
    },
    "encoding.codec": {
        "encode_value: kind not in SCALARS and (not is_flat(value)) and (not is_writable([value], MAX_VALUE_DEPTH)) -> not is_flat(value) and (not is_writable([value], MAX_VALUE_DEPTH))": "a scalar can be written: asking takes only longer",
        "encode_value: 0 -> 1": "marshal writes 0 as the table of small ints has it",
        "encode_value: 256 -> 255": "marshal writes 255 as the table of small ints has it",
        "is_writable: return False -> return None": "the callers only ask whether it is true",
        "is_writable: return False -> return None #2": "the callers only ask whether it is true",
    },
    "encoding.frames": {
        "sample_shrinks: len(lz4().compress(sample)) < 0.9 * SAMPLE_BYTES -> len(lz4().compress(sample)) <= 0.9 * SAMPLE_BYTES": "nine tenths of a sample are no whole number of bytes",
    },
    "encoding.frame_packing": {
        "__init__: 0 -> 1": "a group of any other bucket sets it first, and there is nothing to emit then",
        "__init__: 0 -> -1": "a group of any other bucket sets it first, and there is nothing to emit then",
        "add_values: len(values) > rows -> len(values) >= rows": "the slice is the whole list then",
        "add_values: len(data) <= MAX_RAW_BYTES or len(batch) == 1 -> len(data) <= MAX_RAW_BYTES": "a single value is cut into itself",
        "add_values: 1 -> 0": "a single value is cut into itself",
    },
    "encoding.pair_frames": {
        "pack_pairs: 0 -> 1": "nothing of a bucket is in a frame of pairs",
        "pack_pairs: 0 -> -1": "nothing of a bucket is in a frame of pairs",
        "pack_pairs: 0 -> 1 #3": "the CRC is not over its own field, which is replaced",
        "unpack_pairs: size < header.frame_bytes -> size <= header.frame_bytes": "the two are not equal there",
        "as_stored: 0 -> 1": "the body is decompressed without its bucket",
        "as_stored: 0 -> -1": "the body is decompressed without its bucket",
    },
    "encoding.key_sampler": {
        "__init__: 0.5 -> 1.5": "a whole step more is no other place in the step",
        "__init__: 0.5 -> -0.5": "a whole step less is no other place in the step",
        "add: 1 -> 2": "only the proportions of weights count",
        "samples: limit > LEAST_SAMPLES and wire_bytes(samples) > self._most_bytes -> wire_bytes(samples) > self._most_bytes": "the fewest samples of the longest keys fit into the bytes that a map always gets",
        "samples: limit > LEAST_SAMPLES -> limit >= LEAST_SAMPLES": "the fewest samples of the longest keys fit into the bytes that a map always gets",
    },
    "outputs.pairs_output": {
        "prepare_batch: zip(keys, values, strict=True) -> zip(keys, values)": "the columns of a batch have one length",
        "prepare_batch: True -> False": "the columns of a batch have one length",
        "_write_together: zip(*pairs, strict=True) -> zip(*pairs)": "each of them is a key and a value",
        "_write_together: True -> False": "each of them is a key and a value",
        "_write_together: return False -> return None": "the only caller asks whether it is true",
        "_takes: return self._bytes + size < FRAME_BYTES and self._records + records <= FRAME_RECORDS -> return None": "records that are written one by one make the same frames",
        "_takes: self._bytes + size < FRAME_BYTES -> self._bytes + size <= FRAME_BYTES": "the last of records that just fill a frame ends it in either way",
        "_takes: self._records + records <= FRAME_RECORDS -> self._records + records < FRAME_RECORDS": "the last of records that just fill a frame ends it in either way",
    },
    "runs.publishing": {
        "remove_staged: [found.key for found in batch if is_pending(found.key)] -> [found.key for found in batch]": "what is no upload is deleted one by one, and else with its prefix",
        "find_lost: zip(commits, lost, strict=True) -> zip(commits, lost)": "each commit has one answer",
        "find_lost: True -> False": "each commit has one answer",
        "has_part: return False -> return None": "the only caller asks whether it is true",
        "is_lost: return False -> return None": "the only caller asks whether it is true",
    },
    "program.reduce_idioms": {
        "uses_builtins: len(names) == len(called) and all((name not in function.__code__.co_varnames and name not in function.__globals__ and (name in CALLED) and (found.get(name) is CALLED[name]) for name in names)) -> all((name not in function.__code__.co_varnames and name not in function.__globals__ and (name in CALLED) and (found.get(name) is CALLED[name]) for name in names))": "no form calls what has no name",
        "visit_Name: ast.Name(id='_', ctx=node.ctx) -> ast.Name(id='_')": "it is only unparsed, which does not look at the context",
        "visit_Name: ast.Name(id='VALUES', ctx=node.ctx) -> ast.Name(id='VALUES')": "it is only unparsed, which does not look at the context",
    },
    "balance.bucket_packing": {
        "cut_row: zip(bins, pairwise(cuts), strict=True) -> zip(bins, pairwise(cuts))": "there is a cut between any two bins",
        "is_even: return False -> return None": "it is only asked whether it is true",
        "numbers_near: more > MUCH_MORE * most -> more >= MUCH_MORE * most": "a number that was tried is tried again",
        "fair_share: size * left <= rest -> size * left < rest": "what is left has the same mean without a bucket of that size",
        "fair_share: break -> continue": "a smaller bucket is no larger than the mean either",
        "place_longest_first: 0 -> -1": "only the order of the totals matters",
    },
    "balance.even_cuts": {
        "search_cuts: 2 * high + 1 -> 2 * high - 1": "at that price there are no more than the wanted shards either: each of them must hold a mean",
        "search_cuts: 1 -> 0 #6": "joining a path of the wanted number with another of the same price costs no more",
        "search_cuts: 1 -> 2 #7": "joining a path of the wanted number with another of the same price costs no more",
        "trace_path: zip(links.above, links.below, links.excess, links.excess_alone, strict=True) -> zip(links.above, links.below, links.excess, links.excess_alone)": "the lists are of one length",
        "choose_cuts: not whole or shards == 1 -> not whole": "a single shard is from the start to the end in any way",
        "link_positions: 0 -> 1": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> -1": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> 1 #2": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> -1 #2": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> 1 #3": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> -1 #3": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> 1 #4": "the first position ends no shard: nothing is read of it",
        "link_positions: 0 -> -1 #4": "the first position ends no shard: nothing is read of it",
    },
    "balance.partition_count": {
        "virtual_buckets: 1 -> 2 #2": "a single partition has 16 buckets of 4,096, or of 2,048",
    },
    "encoding.blobs": {
        "append: len(frame.body) < LARGE_BODY_BYTES -> len(frame.body) <= LARGE_BODY_BYTES": "one piece or two, the bytes are the same",
        "footer: -1 -> 1": "in total order there is one segment, whose end is the second offset and the last",
        "_add_to_index: 0 -> -1 #2": "in total order there is one bucket, the first and the last",
        "__init__: 0 -> -1 #3": "there is no data yet, so what is taken first is fetched",
        "encode_footer: -1 -> 1": "in total order there is one segment, whose end is the second offset and the last",
        "read_places: 0 -> -1": "no frame is before the first place either way",
        "read_places: 0 -> 1 #2": "the first frame is in a place, which says its last bucket",
        "read_places: 0 -> -1 #2": "the first frame is in a place, which says its last bucket",
    },
    "program.fusion": {
        "is_fusible: yields > 0 and sum(map(is_pair_statement, nodes)) == yields and (not any(map(is_guarded_yield, nodes))) and (not definition.decorator_list) and (not source.function.__code__.co_freevars) and (not arguments.posonlyargs) and (len(arguments.args) >= 3) and (not looks_at_itself(source)) -> yields > 0 and (not any(map(is_guarded_yield, nodes))) and (not definition.decorator_list) and (not source.function.__code__.co_freevars) and (not arguments.posonlyargs) and (len(arguments.args) >= 3) and (not looks_at_itself(source))": "a yield that stays makes a generator of the function, which is not taken",
        "build: 0 -> -1 #2": "the factory is the only statement",
        "leave_out_signature: definition.__dict__.update(type_params=[]) -> pass": "Python 3.11, which runs the tests, has no type parameters",
    },
    "program.yield_rewriting": {
        "expressions_to_name: value_waits and (not isinstance(key, ast.Constant)) -> not isinstance(key, ast.Constant)": "a name more changes no pair: the key is evaluated first in any case",
        "expressions_to_name: value_waits and (not isinstance(key, ast.Constant)) -> value_waits": "a constant with a name is the same constant",
        "expressions_to_name: not isinstance(value, ast.Constant) and (self.kind == 'count' or not self.is_steady(value)) -> self.kind == 'count' or not self.is_steady(value)": "a constant with a name is the same constant",
        "is_steady: isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in self.local_names) -> isinstance(node, ast.Constant)": "a steady value is the same with a name",
        "expressions_to_name: not isinstance(value, ast.Constant) and (self.kind == 'count' or not self.is_steady(value)) -> not isinstance(value, ast.Constant)": "a steady value is the same with a name",
        "choose_template: self.interns and self.types.is_str(value) and (not isinstance(value, ast.Constant)) -> self.interns and self.types.is_str(value)": "a constant is one object, interned or not",
        "is_known_to_fit: return kind in (str, int, float, bool, bytes, type(None)) if kind else self.types.is_str(value) -> return None": "what is known to fit passes the check",
        "is_known_to_fit: return self.kind == 'sum' and kind in (int, float) -> return None": "what is known to fit passes the check",
    },
    "rows.runs": {
        "_merge: 1 -> 2": "only whether levels are the same matters",
    },
}
"""Module → change (as `make mutants` prints it) → why it is equal."""
