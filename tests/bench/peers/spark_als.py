"""Factors of ratings by Spark's own ALS, and how far they miss the ratings of the test part.

usage: spark_als.py SOURCE TARGET FACTORS ROUNDS PENALTY

SOURCE has CSV with user, item, value and set (train or test); users and items are whole numbers. Writes the root mean
square error into TARGET. Where the model knows the user or the item not at all, the mean of the ratings stands for it.
"""

import sys
from pathlib import Path

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession, functions

source, target, factors, rounds, penalty = sys.argv[1:]

session = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "6g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "8")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
ratings = session.read.csv(
    source, header=True, schema="user INT, item INT, time LONG, value DOUBLE, set STRING"
).cache()
train, test = (ratings.where(functions.col("set") == part) for part in ("train", "test"))
als = ALS(
    rank=int(factors),
    maxIter=int(rounds),
    regParam=float(penalty),
    userCol="user",
    itemCol="item",
    ratingCol="value",
    seed=1,
)
mean = train.agg(functions.mean("value")).first()[0]
found = functions.nanvl(functions.col("prediction").cast("double"), functions.lit(mean))
errors = als.fit(train).transform(test).select(functions.pow(functions.col("value") - found, 2.0).alias("error"))
Path(target).write_text(repr(errors.agg(functions.sqrt(functions.mean("error"))).first()[0]))
session.stop()
