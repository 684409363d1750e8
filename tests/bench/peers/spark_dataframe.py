"""The work in Spark's DataFrames, from Python.

usage: spark_dataframe.py wordcount|log|sort SOURCE TARGET
"""

import sys

from pyspark.sql import SparkSession, functions

work, source, target = sys.argv[1:]

session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "6g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "8")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
if work == "wordcount":
    words = session.read.text(source).select(functions.explode(functions.split("value", " ")).alias("word"))
    words.groupBy("word").count().write.csv(target, sep="\t")
elif work == "log":
    session.read.csv(source).groupBy("_c0", "_c1").count().write.csv(target, sep="\t")
else:
    records = session.read.text(source).withColumn("key", functions.substring("value", 1, 10))
    records.sort("key").select("value").write.text(target)
session.stop()
