"""The work in duckdb's SQL, with two threads.

usage: duckdb_sql.py wordcount|log|sort SOURCE TARGET
"""

import sys
from pathlib import Path

import duckdb

work, source, target = sys.argv[1], sys.argv[2], Path(sys.argv[3])

LINES = f"""read_csv('{source}/*', columns={{'line': 'varchar'}}, delim='\x01', quote='', escape='',
                     header=false, auto_detect=false)"""
COLUMNS = f"read_csv('{source}/*', header=false, all_varchar=true)"
QUERIES = {
    "wordcount": f"select word, count(*) from (select unnest(string_split(line, ' ')) word from {LINES}) group by word",
    "log": f"select column0, column1, count(*) from {COLUMNS} group by all",
    "sort": f"select line from {LINES} order by line[1:10]",
}

target.mkdir()
connection = duckdb.connect()
connection.execute("set threads = 2")
connection.execute(f"copy ({QUERIES[work]}) to '{target}/part-0' (delimiter '\t', header false, quote '')")
